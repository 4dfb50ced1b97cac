"""`check()`, `hint()` and `diff()`: the lesson's checks, its hints, and its solution beside one's own."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from html import escape
from typing import Any

from lessonkit.course import Lesson, LessonError, find_course
from lessonkit.difference import LEGEND, SAME, differences
from lessonkit.hints import next_hint
from lessonkit.notebook.here import here
from lessonkit.notebook.report_html import as_html
from lessonkit.notebook.shown import Shown, sentence
from lessonkit.progress import Progress
from lessonkit.report import CheckResult, Report
from lessonkit.runner import Run

PATIENCE_SECONDS = 0.4  # a run that is over by then needs no progress bar


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
        return "color:var(--jp-success-color0,#1b5e20);font-weight:bold"
    return "color:var(--jp-error-color0,#b71c1c)" if line.startswith("-") else ""


def _run(lesson: Lesson, target: str) -> Report:
    """Run the checks; one that takes its time shows how far it is."""
    passed: list[tuple[CheckResult, int]] = []

    def work() -> Report:
        return Run(lesson, target, on_check=lambda one, of: passed.append((one, of))).report()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        bar: Any = None
        while wait_for([running], PATIENCE_SECONDS).not_done:
            bar = _show_bar(bar, len(passed), passed[-1][1] if passed else 0)
        if bar is not None:
            bar.update(Shown("", ""))
        return running.result()


def _show_bar(bar: Any, done: int, of: int) -> Any:
    """Draw the progress of a run, or draw it anew; None where there is no notebook to draw in."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    if not hasattr(get_ipython(), "kernel"):
        return None
    says = f"{done} of {of} checks ran" if of else "The checks are starting"
    size = f'value="{done}" max="{of}"' if of else ""
    drawn = Shown(f'<label>{says} <progress {size} aria-label="{says}"></progress></label>', f"{says} …")
    if bar is None:
        return display(drawn, display_id=True)  # type: ignore[no-untyped-call]
    bar.update(drawn)
    return bar
