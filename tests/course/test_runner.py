"""Every run is a process of its own: warm or cold the verdict is the same, and none outlives its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from tests.course import miniature

from lessonkit.course import Course, Lesson
from lessonkit.report import Report
from lessonkit.runner import Run, run

SECONDS = 30


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    return miniature.make(tmp_path / "mit Leerzeichen, é")


def verdicts(report: Report) -> list[tuple[str, str, str | None]]:
    return [(check.id, check.outcome, check.message) for check in report.checks]


@pytest.mark.parametrize("target", ["solution", "starter", "mistake:characters_counted"])
def test_spawned_run_gives_the_same_report_as_a_forked_one(course: Course, target: str) -> None:
    lesson = course.lesson("1")
    warm, cold = run(lesson, target), run(lesson, target, warm=False)
    assert verdicts(warm) == verdicts(cold)
    assert warm.total == len(lesson.check_names())


def test_folder_with_spaces_and_letters_of_other_languages(lesson: Lesson) -> None:
    for warm in (True, False):
        assert run(lesson, "solution", warm=warm).ok


@pytest.mark.thorough
def test_preloaded_process_has_one_thread_and_can_be_forked() -> None:
    code = "import lessonkit.preload, threading; print(threading.active_count())"
    environment = os.environ | {"LESSONKIT_PRELOAD": "fastapi anthropic"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert done.stdout == "1\n"


def test_saves_within_one_second_are_told_apart(lesson: Lesson, tmp_path: Path) -> None:
    target = tmp_path / "main.py"
    right, wrong = miniature.SOLUTION, miniature.SOLUTION.replace("hello {name}", "holla {name}")
    for text in (right, wrong, right, wrong, right):
        target.write_text(text, encoding="utf-8")
        assert run(lesson, str(tmp_path)).ok == (text == right)


def test_killed_run_returns_at_once_and_is_no_pass(lesson: Lesson, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("while True: pass\n", encoding="utf-8")
    under_way = Run(lesson, str(tmp_path))
    threading.Timer(0.5, under_way.kill).start()
    report = under_way.report()
    assert under_way.killed
    assert not report.ok


@pytest.mark.thorough
def test_process_ends_with_the_one_that_started_it(lesson: Lesson, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        f"import os, pathlib\npathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\nwhile True: pass\n",
        encoding="utf-8",
    )
    code = (
        "from pathlib import Path\nfrom lessonkit.course import Course\nfrom lessonkit.runner import run\n"
        f"run(Course(Path({str(lesson.root)!r})).lesson('1'), {str(tmp_path)!r})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    pid = wait_for_pid(tmp_path / "pid")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=SECONDS)
    assert not psutil.pid_exists(pid)


def test_lesson_without_the_sdk_does_not_import_it(course: Course, tmp_path: Path) -> None:
    solution = (course.lesson("1").solution / "main.py").read_text(encoding="utf-8")
    code = "import sys\nassert 'anthropic' not in sys.modules, 'imported'\n"
    (tmp_path / "main.py").write_text(code + solution, encoding="utf-8")
    report = run(course.lesson("1"), str(tmp_path), warm=False)
    assert report.ok, report.error


def wait_for_pid(path: Path) -> int:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if path.is_file() and (text := path.read_text(encoding="utf-8")):
            return int(text)
        time.sleep(0.02)
    raise AssertionError("the learner's process did not start")
