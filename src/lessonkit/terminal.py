"""What people see in a terminal: reports, messages, the list of lessons. Works on an ASCII-only console too."""

import codecs
import io
import sys

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lessonkit.course import Course, Lesson
from lessonkit.report import CheckResult, Problem, Report, parts

_PLAIN = {
    "✓": "ok",
    "✗": "no",
    "·": "-",
    "…": "...",
    "—": "-",
    "–": "-",
    "→": "->",
    "’": "'",
    "“": '"',
    "”": '"',
}
_COLOURS = {"Expected": "green", "Came back": "red", "Next step": "bold cyan"}
TEXT_WIDTH = 100
TO_COPY = ("Serve it", "Repeat it")


def _to_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in missing), error.end


codecs.register_error("lesson-plain", _to_ascii)


def console(*, stderr: bool = False) -> Console:
    """A console on this process's output; characters that it cannot show are replaced, never fatal."""
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="lesson-plain")
    return Console(file=stream, highlight=False, force_jupyter=False)


def render(report: Report, lesson: Lesson, *, advice: bool = True) -> RenderableType:
    """A report: every check on a line, the first failure in full, and (with `advice`) what to type next."""
    target = "" if report.target == "work" else f"  ({report.target})"
    rows: list[RenderableType] = [
        Text(),
        Text.assemble((f"Lesson {lesson.number} · {lesson.title}", "bold"), (target, "dim")),
    ]
    if report.error is not None and not report.passed:
        rows += [Text(), _problem(report.error), Text(), Text("The checks did not run.", "bold")]
    else:
        rows += [_listing(report), Text()]
        if report.error is not None:
            rows += [_problem(report.error), Text()]
        elif report.failures:
            rows += [*render_failure(report.failures[0]), Text()]
        rows.append(_count(report))
    if report.target == "work" and advice:
        rows.append(_next(report, lesson))
    return Group(*rows)


def as_text(report: Report, lesson: Lesson) -> str:
    """The same report as plain text, for a notebook without HTML, a log or a pipe."""
    out = io.StringIO()
    plain = Console(file=out, width=TEXT_WIDTH, color_system=None, force_terminal=False, force_jupyter=False)
    plain.print(render(report, lesson), crop=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _listing(report: Report) -> Table:
    table = Table.grid(padding=(0, 1))
    for above, check in zip((None, *report.checks), report.checks, strict=False):
        if check.part and (above is None or above.part != check.part):
            table.add_row(" ", "", Text(check.part, "bold underline"), "")
        mark = Text("✓", "green") if check.passed else Text("✗", "red")
        title = Text(check.title, "" if check.passed else "bold")
        table.add_row(" ", mark, title, Text(check.operation, "dim"))
    return table


def _labelled(message: str) -> Table:
    """A message's parts, the label beside the text; commands stand below, where they can be copied."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in parts(message):
        if label not in TO_COPY:
            table.add_row(Text(label, "dim"), Text(text, _COLOURS.get(label, "")))
    return table


def render_failure(check: CheckResult) -> list[RenderableType]:
    """A failed check's message, in a frame, with the commands that repeat its request below."""
    title = Text.assemble(("✗ ", "red"), (check.title, "bold"))
    message = check.message or ""
    shown: list[RenderableType] = [
        Panel(_labelled(message), title=title, title_align="left", border_style="red")
    ]
    for label, text in parts(message):
        if label in TO_COPY:
            shown += [Text(f"{label}:", "dim"), Text(text, no_wrap=True, overflow="ignore")]
    return shown


def _problem(problem: Problem) -> Panel:
    return Panel(
        _labelled(problem.text()),
        title=Text("✗ main.py cannot be checked yet", "bold"),
        title_align="left",
        border_style="red",
    )


def _count(report: Report) -> Text:
    style = "bold green" if report.ok else "bold"
    if report.ok:
        return Text(f"All {report.total} checks pass.", style)
    return Text(f"{report.passed} of {report.total} checks pass.", style)


def _next(report: Report, lesson: Lesson) -> Text:
    if report.ok:
        return Text(f"Compare with ours: uv run lesson solution {lesson.number}   {_onward(lesson)}", "cyan")
    if report.error is not None:
        return Text(f"Save the file and run again: uv run lesson check {lesson.number}", "cyan")
    return Text(f"Stuck? uv run lesson hint {lesson.number}", "cyan")


def _onward(lesson: Lesson) -> str:
    """How to go on from a lesson that is done: with the one after it."""
    later = Course(lesson.root).after(lesson)
    return f"Go on: uv run lesson start {later.number}" if later else "This was the last lesson."
