"""A run that is ready beforehand: its verdict is as of the moment that asks for it, and nothing of it stays."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.course import miniature

from lessonkit.course import Course, Lesson
from lessonkit.runner import run
from lessonkit.standby import Standby

SECONDS = 30
WRONG = miniature.SOLUTION.replace("hello {name}", "holla {name}")


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    return miniature.make(tmp_path / "mit Leerzeichen, é")


@pytest.fixture
def standby() -> Iterator[Standby]:
    standby = Standby()
    yield standby
    standby.end()


def test_verdict_is_as_of_the_moment_that_asks(standby: Standby, lesson: Lesson, tmp_path: Path) -> None:
    main = tmp_path / "main.py"
    for before, then in ((WRONG, miniature.SOLUTION), (miniature.SOLUTION, WRONG)):
        main.write_text(before, encoding="utf-8")
        standby.prepare(lesson, str(tmp_path))
        ready = standby._ready
        assert ready is not None
        time.sleep(1)  # it has collected the checks by now, and waits
        main.write_text(then, encoding="utf-8")
        taken = standby.take(lesson, str(tmp_path))
        assert taken is ready[1]
        assert taken.report().ok == (then == miniature.SOLUTION)


@pytest.mark.parametrize("target", ["solution", "starter", "mistake:characters_counted"])
def test_report_is_the_one_of_any_other_run(standby: Standby, course: Course, target: str) -> None:
    lesson = course.lesson("1")
    standby.prepare(lesson, target)
    told: list[tuple[str, int]] = []
    report = standby.take(lesson, target).report(lambda one, of: told.append((one.id, of)))
    plain = run(lesson, target)
    assert [(one.id, one.outcome, one.message) for one in report.checks] == [
        (one.id, one.outcome, one.message) for one in plain.checks
    ]
    assert told == [(one.id, plain.total) for one in plain.checks]


def test_changed_suite_is_collected_anew(standby: Standby, lesson: Lesson) -> None:
    before = standby.take(lesson, "solution").report()
    standby.prepare(lesson, "solution")
    suite = lesson.suite.read_text(encoding="utf-8")
    checks = suite.index("@task(")
    lesson.suite.write_text(suite + "\n\n" + suite[checks:].replace("def test_", "def test_again_"), "utf-8")
    assert standby.take(lesson, "solution").report().total == 2 * before.total


def test_other_target_gets_a_run_of_its_own_and_ends_what_was_ready(standby: Standby, lesson: Lesson) -> None:
    standby.prepare(lesson, "solution")
    ready = standby._ready
    assert ready is not None
    assert not standby.take(lesson, "starter").report().ok
    assert not ready[1].alive


def test_run_that_died_while_it_waited_is_replaced(standby: Standby, lesson: Lesson) -> None:
    standby.prepare(lesson, "solution")
    ready = standby._ready
    assert ready is not None
    pid = ready[1]._process.pid
    assert pid is not None
    psutil.Process(pid).kill()
    ready[1]._process.join()
    assert standby.take(lesson, "solution").report().ok


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_what_is_ready_ends_with_its_parent(lesson: Lesson, end: str) -> None:
    code = (
        "from pathlib import Path\nfrom lessonkit.course import Course\nfrom lessonkit.standby import Standby\n"
        f"standby = Standby()\nstandby.prepare(Course(Path({str(lesson.root)!r})).lesson('1'), 'solution')\n"
        "print(standby._ready[1]._process.pid, flush=True)\ninput()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    getattr(parent, end)()
    parent.communicate()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=SECONDS)
    assert not psutil.pid_exists(pid)
