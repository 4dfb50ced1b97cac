"""What a learner types: one function a command, each of which says what to do next."""

from typing import Annotated

import typer

from lessonkit.command.common import Required, Which, chosen, refuse_unstarted, say, shown, undo
from lessonkit.course import LessonError, find_course
from lessonkit.progress import Progress
from lessonkit.report import Report
from lessonkit.runner import Run

application = typer.Typer(
    help="FastAPI in One Post: start a lesson, edit its main.py, check it, get a hint, go on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@application.command()
def start(
    which: Which = None,
    lab: Annotated[
        bool, typer.Option("--lab/--no-lab", help="Open JupyterLab, or only create the files.")
    ] = True,
) -> None:
    """Put a lesson's files into work/ and open its notebook. Files you changed stay as they are."""
    from lessonkit import lab as jupyter
    from lessonkit.workspace import start as start_files

    _, lesson, progress = chosen(which)
    if which is None and progress.lesson(lesson).finished(lesson):
        say("Every lesson is finished. To open one again: uv run lesson start N", "bold green")
        return
    done = start_files(lesson)
    folder = shown(lesson.work)
    say(f"Lesson {lesson.number} · {lesson.title}", "bold")
    for names, what in (
        (done.created, "is new in"),
        (done.updated, "was untouched and is now the newest, in"),
        (done.kept, "is yours and stays as it is, in"),
    ):
        for name in names:
            say(f"  {name} {what} {folder}")
    for name in done.newer:
        say(
            f"  {name}: the course has a newer one. To take it (yours is saved first): uv run lesson reset {lesson.number}"
        )
    if done.earlier is not None:
        say(
            f"  Earlier copies of yours are in {shown(done.earlier.parent)}. The newest: {undo(lesson, done.earlier)}"
        )
    say("")
    say(
        f"Next: open {folder}/{lesson.notebook.name} and edit {folder}/main.py. Then: uv run lesson check {lesson.number}",
        "cyan",
    )
    if lab:
        jupyter.open_lab(lesson)


@application.command()
def check(
    which: Which = None,
    target: Annotated[
        str, typer.Option(help="work, starter, solution, or the path of a folder with a main.py.")
    ] = "work",
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run a lesson's checks. Exit status 0: all passed, 1: not all, 2: it could not be asked that way."""
    _, lesson, progress = chosen(which)
    if target == "work":
        refuse_unstarted(lesson)
    run = Run(lesson, target, warm=False)
    from lessonkit.terminal import console, render  # imported while the run is under way

    out = console()
    report = run.report()
    if report.error is not None and report.error.kind == "target":
        raise LessonError(f"{report.error.message} {report.error.next_step}")
    if target == "work":
        progress.record(lesson, report)
    if json:
        print(report.to_json())
    else:
        out.print(render(report, lesson), crop=False)
    _say_set_aside(progress)
    raise typer.Exit(_status(report))


@application.command()
def watch(which: Which = None) -> None:
    """Run the checks again whenever a file of the lesson is saved. Keys: r run, h hint, n next, q quit."""
    from lessonkit.command.watching import watch_lesson

    course, lesson, progress = chosen(which)
    refuse_unstarted(lesson)
    watch_lesson(course, lesson, progress)


@application.command()
def hint(which: Which = None) -> None:
    """Show the next hint of the first check that fails."""
    from lessonkit.hints import next_hint

    _, lesson, progress = chosen(which)
    refuse_unstarted(lesson)
    report = Run(lesson, "work", warm=False).report()
    progress.record(lesson, report)
    say(str(next_hint(lesson, report, progress)))
    if not report.ok:
        say(f"Next: edit {shown(lesson.work)}/main.py, then: uv run lesson check {lesson.number}", "cyan")


@application.command()
def solution(
    which: Required,
    show: Annotated[
        bool, typer.Option("--show", help="Show it although the checks do not all pass yet.")
    ] = False,
) -> None:
    """Show our solution beside your main.py, once your checks pass (or at once, with --show)."""
    from rich.syntax import Syntax

    from lessonkit.difference import LEGEND, SAME, differences
    from lessonkit.terminal import console

    _, lesson, progress = chosen(which)
    if not show and not progress.lesson(lesson).finished(lesson):
        say(f"Not all checks of lesson {lesson.number} pass yet, and the way there is the lesson.")
        say(
            f"Next: uv run lesson hint {lesson.number}   Or see it all the same: uv run lesson solution {lesson.number} --show",
            "cyan",
        )
        raise typer.Exit(1)
    lines = differences(lesson, lesson.work)
    if not lines:
        say(SAME)
        return
    drawn = Syntax("\n".join(lines), "diff", theme="ansi_light", background_color="default", word_wrap=True)
    console().print(drawn)
    say(LEGEND, "cyan")


@application.command(name="list")
def list_lessons() -> None:
    """List the lessons and how far you are."""
    from rich.table import Table

    from lessonkit.terminal import console

    course = find_course()
    progress = Progress(course)
    table = Table(box=None, pad_edge=False)
    for heading in ("", "Lesson", "Checks"):
        table.add_column(heading)
    for lesson in course.lessons():
        known = progress.lesson(lesson)
        passed = sum(outcome == "passed" for outcome in known.checks.values())
        finished = known.finished(lesson)
        reached = f"{passed} of {len(known.checks)}" if known.checks else "not checked yet"
        if finished and passed < len(known.checks):
            reached += " now, all of them before"
        table.add_row("✓" if finished else "·", f"{lesson.number:>2}  {lesson.title}", reached)
    console().print(table)
    _say_set_aside(progress)
    following = progress.first_unfinished()
    if following is None:
        say("Every lesson is finished.", "bold green")
    else:
        verb = "check" if following.work.is_dir() else "start"
        say(f"Next: uv run lesson {verb} {following.number}", "cyan")


@application.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NN_slug", help="The new lesson's name, like 14_caching.")],
) -> None:
    """For authors: lay out a lesson that fails its own course tests until it is filled."""
    from lessonkit.author.layout import lay_out

    for path in lay_out(find_course(), name):
        say(f"  {path}")
    say("Next: fill them in this order (wrong answers first), and let the course tests lead you:", "cyan")
    say(f"  uv run pytest -k {name}", "cyan")


def _status(report: Report) -> int:
    return 0 if report.ok else 1


def _say_set_aside(progress: Progress) -> None:
    if progress.set_aside is not None:
        say(
            f"The progress file could not be read; it is kept as {shown(progress.set_aside)}, and a new one was begun.",
            "yellow",
        )
