"""`check()`, `hint()` and `diff()`: the lesson's checks, its hints, and its solution beside one's own."""

from html import escape

from lessonkit.course import Lesson, LessonError, find_course
from lessonkit.difference import LEGEND, SAME, differences
from lessonkit.hints import next_hint
from lessonkit.notebook.here import here
from lessonkit.notebook.report_html import as_html
from lessonkit.notebook.shown import BAD, GOOD, Shown, sentence
from lessonkit.notebook.waiting import wait_with_a_bar
from lessonkit.progress import Progress
from lessonkit.report import CheckResult, Report
from lessonkit.standby import Standby

_standby = Standby()


def check(target: str | None = None) -> Shown:
    """Run this lesson's checks on the main.py beside the notebook and show what they found.

    `target` points them at something else: `"solution"`, or `"mistake:NAME"` for a wrong answer.
    """
    try:
        if target is not None and not isinstance(target, str):
            raise LessonError("check() looks at the lesson of this notebook; leave the number out.")
        at = here()
        target, lesson = target or at.target, at.lesson
        report = _run(lesson, target)
        if target == "work":
            Progress(find_course()).record(lesson, report)
    except LessonError as error:
        return sentence(str(error))
    from lessonkit.terminal import as_text

    return Shown(as_html(report, lesson), as_text(report, lesson))


def hint() -> Shown:
    """Show the next hint of the first check that fails now."""
    try:
        at = here()
        return sentence(str(next_hint(at.lesson, _run(at.lesson, at.target), Progress(find_course()))))
    except LessonError as error:
        return sentence(str(error))


def diff() -> Shown:
    """Show the solution beside the main.py of this folder, once its checks pass."""
    try:
        at = here()
        if not _run(at.lesson, at.target).ok:
            return sentence(
                f"Not all checks of lesson {at.lesson.number} pass yet, and the way there is the lesson.\n"
                f"Next: check() and hint(). Or see it all the same, in a terminal: uv run lesson solution {at.lesson.number} --show"
            )
        lines = differences(at.lesson, at.folder)
    except LessonError as error:
        return sentence(str(error))
    if not lines:
        return sentence(SAME)
    shown = "".join(f'<span style="{_style(line)}">{escape(line)}</span>\n' for line in lines)
    html = f'<p>{LEGEND}</p><pre aria-label="Your files and the solution">{shown}</pre>'
    return Shown(html, "\n".join([LEGEND, *lines]))


def _style(line: str) -> str:
    """Colour and weight, beside the signs that say the same."""
    if line.startswith("+"):
        return f"color:{GOOD};font-weight:bold"
    return f"color:{BAD}" if line.startswith("-") else ""


def _run(lesson: Lesson, target: str) -> Report:
    """Run the checks; a run that takes its time shows how far it is."""
    ran: list[tuple[CheckResult, int]] = []

    def progress() -> tuple[str, int, int]:
        if not ran:
            return "The checks are starting", 0, 0
        done, of = len(ran), ran[-1][1]
        return f"{done} of {of} checks ran", done, of

    report = wait_with_a_bar(
        lambda: _standby.take(lesson, target).report(lambda one, of: ran.append((one, of))), progress
    )
    _standby.prepare(lesson, target)
    return report
