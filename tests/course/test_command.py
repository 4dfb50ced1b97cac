"""The command `lesson`, as a person runs it: the real program over a small course."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pexpect
import pytest
from tests.course import miniature

from lessonkit.course import Lesson

COMMAND = [sys.executable, "-m", "lessonkit.command"]
SECONDS = 60


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    return miniature.make(tmp_path / "mein Kurs, é")


def call(lesson: Lesson, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=lesson.root,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "100"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def terminal_with(lesson: Lesson, *words: str) -> "pexpect.spawn[str]":
    """The command in a terminal of its own, where keys can be sent."""
    return pexpect.spawn(
        sys.executable,
        [*COMMAND[1:], *words],
        cwd=str(lesson.root),
        encoding="utf-8",
        timeout=SECONDS,
        dimensions=(50, 120),
        env=os.environ | {"TERM": "xterm"},
    )


def solve(lesson: Lesson) -> None:
    (lesson.work / "main.py").write_text(miniature.SOLUTION, encoding="utf-8")


def test_a_lesson_from_start_to_finish(lesson: Lesson) -> None:
    done = call(lesson, "start", "--no-lab")
    assert done.returncode == 0
    assert "Next: open work/01_greeting/01_greeting.ipynb" in done.stdout

    done = call(lesson, "check")
    assert done.returncode == 1
    for part in ("0 of 2 checks pass", "GET /greeting is not registered yet", "Next step", "lesson hint 1"):
        assert part in done.stdout

    assert "Hint 1 of 2: Look at the decorator." in call(lesson, "hint").stdout
    assert "Hint 2 of 2, the last one: A path needs a function." in call(lesson, "hint").stdout

    done = call(lesson, "solution", "1")
    assert done.returncode == 1
    assert "--show" in done.stdout
    assert 'def greeting(name: str = "you")' in call(lesson, "solution", "1", "--show").stdout

    solve(lesson)
    done = call(lesson, "check", "1")
    assert done.returncode == 0
    assert "All 2 checks pass." in done.stdout
    assert "the same" in call(lesson, "solution", "1").stdout
    assert "2 of 2" in call(lesson, "list").stdout
    assert "nothing to hint at" in call(lesson, "hint", "1").stdout

    (lesson.work / "main.py").write_text(miniature.STARTER, encoding="utf-8")
    assert "0 of 2 checks pass" in call(lesson, "check", "1").stdout
    listed = call(lesson, "list").stdout
    assert "✓   1" in listed
    assert "0 of 2 now, all of them before" in listed


def test_failure_shows_four_parts_and_a_curl_line(lesson: Lesson) -> None:
    call(lesson, "start", "--no-lab")
    (lesson.work / "main.py").write_text(miniature.SOLUTION.replace("{name}", "you"), encoding="utf-8")
    done = call(lesson, "check", "greeting")
    shown = " ".join(done.stdout.replace("│", " ").split())
    assert "Sent GET /greeting?name=Ada" in shown
    assert "Repeat it: curl 'http://127.0.0.1:8000/greeting?name=Ada'" in shown
    assert "Expected hello Ada" in shown
    assert 'Came back 200 {"text":"hello you"}' in shown
    assert "Next step Use the name." in shown


def test_json_has_the_documented_shape(lesson: Lesson) -> None:
    done = call(lesson, "check", "01", "--json", "--target", "starter")
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert set(data) == {"lesson", "target", "passed", "total", "seconds", "error", "checks"}
    assert (data["lesson"], data["target"], data["passed"], data["total"]) == ("01_greeting", "starter", 0, 2)
    assert data["error"] is None
    assert set(data["checks"][0]) == {"id", "title", "operation", "outcome", "message", "exchanges"}
    assert data["checks"][0]["outcome"] == "failed"

    (lesson.solution / "main.py").write_text("app =", encoding="utf-8")
    data = json.loads(call(lesson, "check", "1", "--json", "--target", "solution").stdout)
    assert set(data["error"]) == {"kind", "message", "file", "line"}
    assert (data["error"]["kind"], data["error"]["line"]) == ("syntax", 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check",), "Lesson 1 is not started yet. Start it: uv run lesson start 1"),
        (("check", "9"), "There is no lesson '9'; the lessons are 1."),
        (("check", "1", "--target", "nowhere"), "'nowhere'"),
        (("hint", "1"), "not started"),
        (("watch", "1"), "not started"),
        (("reset", "1", "--to", "gone"), "There is no backup 'gone'"),
        (("new", "one"), "is not a lesson's name"),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(lesson: Lesson, words: tuple[str, ...], says: str) -> None:
    done = call(lesson, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in " ".join((done.stdout + done.stderr).split())


def test_unknown_option_is_status_2(lesson: Lesson) -> None:
    assert call(lesson, "check", "--nonsense").returncode == 2


@pytest.mark.thorough
def test_ascii_console_is_readable(lesson: Lesson) -> None:
    call(lesson, "start", "--no-lab")
    done = call(lesson, "check", "1", PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert "Lesson 1 - A greeting" in done.stdout
    assert "no GET /greeting answers hello you" in done.stdout


def test_reset_prints_the_command_that_brings_it_back(lesson: Lesson) -> None:
    call(lesson, "start", "--no-lab")
    (lesson.work / "main.py").write_text("mine = 1\n", encoding="utf-8")
    done = call(lesson, "reset", "1")
    undo = done.stdout.split("To bring it back: uv run lesson ")[1].split()
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == miniature.STARTER
    assert call(lesson, *undo).returncode == 0
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == "mine = 1\n"


def test_corrupt_progress_is_set_aside_and_said(lesson: Lesson) -> None:
    call(lesson, "start", "--no-lab")
    progress = lesson.work.parent / "progress.json"
    progress.write_text("{half", encoding="utf-8")
    done = call(lesson, "list")
    assert "could not be read" in " ".join(done.stdout.split())
    kept = next(lesson.work.parent.glob("progress.unreadable-*.json"))
    assert kept.read_text(encoding="utf-8") == "{half"


def test_work_that_cannot_be_written_is_one_sentence(lesson: Lesson) -> None:
    (lesson.root / "work").write_text("a file where the folder should be", encoding="utf-8")
    done = call(lesson, "start", "--no-lab")
    assert done.returncode == 2
    assert "Starting 01_greeting failed" in done.stderr


@pytest.mark.thorough
def test_two_commands_at_once_lose_nothing(lesson: Lesson) -> None:
    call(lesson, "start", "--no-lab")
    mine = {f"version {number}\n" for number in range(4)}
    for text in sorted(mine):
        (lesson.work / "main.py").write_text(text, encoding="utf-8")
        with ThreadPoolExecutor(2) as pool:
            done = list(
                pool.map(lambda words: call(lesson, *words), [("reset", "1"), ("start", "1", "--no-lab")])
            )
        assert [one.returncode for one in done] == [0, 0]
    saved = {path.read_text(encoding="utf-8") for path in (lesson.root / "work" / "backups").rglob("main.py")}
    assert mine <= saved


def test_new_lays_out_a_lesson(lesson: Lesson) -> None:
    done = call(lesson, "new", "02_next")
    assert done.returncode == 0
    assert (lesson.root / "tests" / "test_02_next.py").is_file()
    assert "uv run pytest -k 02_next" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
@pytest.mark.thorough
def test_watch_follows_saves_and_keys(lesson: Lesson) -> None:
    call(lesson, "start", "--no-lab")
    terminal = terminal_with(lesson, "watch", "1")
    terminal.expect("0 of 2 checks pass")
    terminal.expect(r"\[q\] quit")
    terminal.send("h")
    terminal.expect("Hint 1 of 2")
    terminal.send("n")
    terminal.expect("Not yet")
    (lesson.work / "main.py").write_text("app =", encoding="utf-8")
    terminal.expect("not valid Python")
    solve(lesson)
    terminal.expect("All 2 checks pass")
    terminal.send("r")
    terminal.expect("All 2 checks pass")
    terminal.send("n")
    terminal.expect("last lesson")
    terminal.send("q")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
