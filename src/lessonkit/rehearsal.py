"""Tries before class what will be shown in class: every step and mistake of a lesson, and the machine."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from lessonkit.checkpoints import checkpoint, homeless, steps_of, with_mistake
from lessonkit.course import Course, Lesson, LessonError
from lessonkit.doctor import Finding, examine
from lessonkit.files import write_atomically
from lessonkit.live import serve
from lessonkit.report import Report
from lessonkit.runner import preload, run
from lessonkit.suite import checks_of
from lessonkit.workspace import given_contents

COLUMNS, ROWS = 80, 24
PAGE_SECONDS = 30.0


def rehearse(lessons: list[Lesson]) -> Iterator[Finding]:
    """Look at the machine, then run every step of these lessons. Nothing in work/ is touched."""
    if not lessons:
        raise LessonError("This course has no lessons to rehearse.")
    yield from examine(Course(lessons[0].root))
    yield screen()
    preload(lessons)
    for lesson in lessons:
        wrong = list(faults(lesson))
        for says in wrong:
            yield Finding(
                False, f"Lesson {lesson.number}: {says}", f"Look at {lesson.talk} and the solution."
            )
        if not wrong:
            count = len(steps_of(lesson))
            yield Finding(True, f"lesson {lesson.number}: {count} steps, each with its checks green")
        yield served(lesson)


def screen() -> Finding:
    """Whether a report fits on this terminal, at the size of its type."""
    if not sys.stdout.isatty():
        return Finding(True, "terminal: none here, so its size was not looked at")
    size = os.get_terminal_size()
    if size.columns < COLUMNS or size.lines < ROWS:
        says = f"terminal: {size.columns} by {size.lines} characters; reports need {COLUMNS} by {ROWS}"
        return Finding(False, says, "Make the window larger, or its type smaller.")
    return Finding(True, f"terminal: {size.columns} by {size.lines} characters")


def faults(lesson: Lesson) -> Iterator[str]:
    """What is wrong with a lesson's steps, a sentence each; nothing where a class would see what it should.

    After each step exactly the checks must be green that it and the steps before it name, besides those that
    hold on the starter; and its mistake must turn one of them red.
    """
    lost = homeless(lesson)
    if lost:
        yield f"no step brings {', '.join(lost)}"
    last = checkpoint(lesson, len(steps_of(lesson)))
    for name, text in last.items():
        if text != (lesson.solution / name).read_text(encoding="utf-8"):
            yield f"after the last step {name} is not the solution's"
    wanted = _green(on(lesson, checkpoint(lesson, 0)))
    guards = {check.name for check in checks_of(lesson) if check.task.guard}
    for name in sorted(wanted - guards):
        yield f"the starter passes {name}"
    for step in steps_of(lesson):
        wanted |= set(step.green)
        report = on(lesson, checkpoint(lesson, step.number))
        if report.error is not None:
            yield f"after step {step.number} main.py does not load: {report.error.text()}"
        green = _green(report)
        for name in sorted(green ^ wanted):
            yield f"after step {step.number} {name} is {'green, and not named' if name in green else 'not green'}"
        if step.mistake:
            try:
                mistaken = on(lesson, with_mistake(lesson, step.number))
            except LessonError as error:
                yield str(error)
                continue
            if mistaken.error is not None or not green - _green(mistaken):
                yield f"the mistake of step {step.number}, {step.mistake}, turns nothing red"


def on(lesson: Lesson, files: dict[str, str]) -> Report:
    """The report on a lesson's given files with these texts in their place, in a folder of their own."""
    with _laid_out(lesson, files) as folder:
        return run(lesson, folder)


def served(lesson: Lesson) -> Finding:
    """Whether the solution is served with its documentation, offline, on a port of this machine."""
    with _laid_out(lesson, {}) as folder:
        for path in lesson.solution.glob("*.py"):
            shutil.copy(path, folder)
        try:
            server = serve(lesson, Path(folder), port=0, log=Path(folder, "log.txt"))
        except LessonError as error:
            return Finding(False, f"lesson {lesson.number}: it cannot be served", str(error))
        try:
            with httpx2.Client(base_url=server.url, timeout=PAGE_SECONDS, trust_env=False) as web:
                page, schema = web.get("/docs"), web.get("/openapi.json")
        except httpx2.HTTPError as error:
            return Finding(
                False, f"lesson {lesson.number}: its server does not answer ({error})", "Run it again."
            )
        finally:
            server.stop()
    well = page.status_code == schema.status_code == 200
    return Finding(
        well, f"lesson {lesson.number}: /docs answers {page.status_code}, /openapi.json {schema.status_code}"
    )


@contextmanager
def _laid_out(lesson: Lesson, files: dict[str, str]) -> Iterator[str]:
    """A scratch folder, named like the lesson's, that holds its given files, with these texts instead of theirs."""
    texts = {name: text.encode() for name, text in files.items()}
    with tempfile.TemporaryDirectory(prefix="lesson-") as scratch:
        folder = Path(scratch).resolve() / lesson.name
        for name, data in (given_contents(lesson) | texts).items():
            write_atomically(folder / name, data)
        yield str(folder)


def _green(report: Report) -> set[str]:
    return {check.name for check in report.checks} - {check.name for check in report.failures}
