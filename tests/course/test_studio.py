"""What a notebook calls besides `predict()`, and the commands around it, over a small course."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import httpx2
import pytest
from tests.course import miniature

from lessonkit import doctor, lab
from lessonkit.course import Lesson
from lessonkit.notebook import check, diff, hint, predict, serve
from lessonkit.notebook import serving as serving_module
from lessonkit.notebook.shown import sentence

COMMAND = [sys.executable, "-m", "lessonkit.command"]
SECONDS = 60


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lesson:
    lesson = miniature.make(tmp_path / "a course, é")
    lesson.work.mkdir(parents=True)
    (lesson.work / "main.py").write_text(miniature.STARTER, encoding="utf-8")
    monkeypatch.chdir(lesson.work)
    return lesson


def solve(lesson: Lesson) -> None:
    (lesson.work / "main.py").write_text(miniature.SOLUTION, encoding="utf-8")


def test_check_shows_the_first_failure_in_full_and_the_others_folded(lesson: Lesson) -> None:
    shown = check()
    html = shown._repr_html_()
    assert "0 of 2 checks pass" in html
    assert html.count("<details>") == 1
    assert "GET /greeting is not registered yet" in html
    assert "✗ failed" in html  # a word beside the colour
    assert 'scope="col"' in html  # names for the columns
    assert "0 of 2 checks pass" in repr(shown)


def test_hint_counts_itself(lesson: Lesson) -> None:
    assert "Hint 1 of 2: Look at the decorator." in repr(hint())
    assert "Hint 2 of 2, the last one" in hint()._repr_html_()


def test_what_stands_in_backticks_is_code() -> None:
    shown = sentence("Write `def <name>()`.\nNext: `x`.")._repr_html_()
    assert "Write <code>def &lt;name&gt;()</code>.<br>Next: <code>x</code>." in shown


def test_diff_comes_after_passing(lesson: Lesson) -> None:
    assert "Not all checks of lesson 1 pass yet" in repr(diff())
    mine = miniature.SOLUTION.replace("hello {name}", "hello {name:s}")
    (lesson.work / "main.py").write_text(mine, encoding="utf-8")
    shown = diff()
    assert '-    return {"text": f"hello {name:s}"}' in repr(shown)
    assert '+    return {"text": f"hello {name}"}' in repr(shown)
    assert 'aria-label="Your files and the solution"' in shown._repr_html_()
    solve(lesson)
    assert "are the same" in repr(diff())


def test_code_that_ends_its_process_does_not_end_the_notebook(lesson: Lesson) -> None:
    (lesson.work / "main.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")
    assert "ends the program" in repr(check())


def test_a_guess_survives_when_its_cell_runs_again() -> None:
    predict("Which status comes back?", 200, 422, guess=422)
    again = predict("Which status comes back?", 200, 422)
    assert repr(again.compare(422)) == "Measured: 422 (as you guessed)"
    other = predict("Which status comes back?", 404, 500)
    assert repr(other.compare(404)) == "Measured: 404 (no guess this time)"


def test_outside_a_lesson_each_function_says_where_to_go(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lesson.root)
    for function in (check, hint, diff, serve):
        assert "lesson start" in repr(function())


@pytest.fixture
def served(lesson: Lesson) -> Iterator[serving_module.Served]:
    solve(lesson)
    served = serve()
    assert isinstance(served, serving_module.Served), served
    yield served
    served.stop()


def test_serve_shows_the_documentation_of_the_running_app(served: serving_module.Served) -> None:
    assert httpx2.get(f"{served.url}/greeting", timeout=SECONDS).json() == {"text": "hello you"}
    assert f'<iframe src="{served.url}/docs" title="Your app: /docs"' in served._repr_html_()
    again = serve("/redoc")
    assert f'src="{served.url}/redoc"' in again._repr_html_()


@pytest.mark.thorough
def test_serve_hands_variables_over(lesson: Lesson, served: serving_module.Served) -> None:
    code = miniature.SOLUTION.replace('"you"', '__import__("os").environ.get("NAME", "you")')
    (lesson.work / "main.py").write_text(code, encoding="utf-8")
    named = serve(NAME="Ada")
    assert isinstance(named, serving_module.Served)
    assert httpx2.get(f"{named.url}/greeting", timeout=SECONDS).json() == {"text": "hello Ada"}
    assert serve(NAME="Ada")._repr_html_() == named._repr_html_()
    named.stop()


def test_serve_goes_through_jupyter_behind_a_prefix(
    served: serving_module.Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    port = served.url.rpartition(":")[2]
    assert f'src="/user/ada/proxy/{port}/docs"' in serve()._repr_html_()


@pytest.mark.thorough
def test_the_command_serves_until_it_is_interrupted(lesson: Lesson) -> None:
    solve(lesson)
    command = subprocess.Popen(
        [*COMMAND, "serve", "1", "--port", "0"],
        cwd=lesson.root,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert command.stdout is not None
    with command.stdout as printed:
        told = printed.readline()
        url = re.findall(r"http://127\.0\.0\.1:\d+", told)[0]
        assert httpx2.get(f"{url}/greeting", timeout=SECONDS).json() == {"text": "hello you"}
        again = subprocess.run(
            [*COMMAND, "serve", "1"], cwd=lesson.root, capture_output=True, encoding="utf-8", check=True
        )
        assert f"Lesson 1 is served already: {url}/docs" in again.stdout
        command.send_signal(signal.SIGINT)
        assert command.wait(SECONDS) == 0
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{url}/greeting")


def test_stop_says_when_there_is_nothing_to_stop(lesson: Lesson) -> None:
    assert lab.find_lab(lesson.work.parent) is None
    assert not lab.stop_lab(lesson.work.parent)


def findings(lesson: Lesson) -> dict[str, doctor.Finding]:
    return {
        finding.says.partition(" ")[0].rstrip(":"): finding
        for finding in doctor.examine(miniature.course(lesson))
    }


def test_doctor_finds_a_machine_well(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-secret")
    found = findings(lesson)
    assert [finding for finding in found.values() if not finding.well] == []
    assert not any("a-secret" in finding.says + finding.mend for finding in found.values())
    assert "ANTHROPIC_API_KEY is set" in found["key"].says


def test_doctor_says_how_to_mend_what_is_wrong(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: ["fastapi>=99", "no-such-package"])
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    (lesson.solution / "main.py").write_text("app =", encoding="utf-8")
    found = findings(lesson)
    assert "is not >=99" in found["packages"].says
    assert "no-such-package is missing" in found["packages"].says
    assert found["packages"].mend == "Install them: uv sync"
    assert "no_proxy" in found["proxy"].mend
    assert not found["checks"].well
    assert "not valid Python" in found["checks"].says
