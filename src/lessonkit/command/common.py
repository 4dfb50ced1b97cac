"""What the commands share: how a lesson is named, and how a line is said."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lessonkit.course import Course, Lesson, LessonError, find_course
from lessonkit.progress import Progress

if TYPE_CHECKING:
    from lessonkit.doctor import Finding

Which = Annotated[
    str | None,
    typer.Argument(
        metavar="[N]", help="1, 01 or 01_prediction_request; without it, the first unfinished lesson."
    ),
]
Required = Annotated[str, typer.Argument(metavar="N", help="1, 01 or 01_prediction_request.")]


def chosen(which: str | None) -> tuple[Course, Lesson, Progress]:
    """The course, the lesson asked for (or the first unfinished one, or the last), and the progress file."""
    course = find_course()
    progress = Progress(course)
    if which is not None:
        return course, course.lesson(which), progress
    lessons = course.lessons()
    if not lessons:
        raise LessonError("This course has no lessons yet. Write one: uv run lesson new 01_name")
    return course, progress.first_unfinished() or lessons[-1], progress


def say(text: str, style: str = "") -> None:
    """Print a line to the learner."""
    from lessonkit.terminal import console

    console().print(text, style=style, markup=False, soft_wrap=True)


def say_findings(findings: "Iterable[Finding]", all_well: str) -> None:
    """Print each finding as it comes, and `all_well` in the end; raises Exit(1) where something is to be mended."""
    well = True
    for finding in findings:
        say(f"{'ok  ' if finding.well else 'MEND'}  {finding.says}", "" if finding.well else "red")
        if finding.mend:
            say(f"      {finding.mend}", "cyan")
        well = well and finding.well
    if not well:
        raise typer.Exit(1)
    say(all_well, "bold green")


def refuse_unstarted(lesson: Lesson) -> None:
    """Raise LessonError for a lesson that has no folder in work/ yet."""
    if not lesson.work.is_dir():
        raise LessonError(
            f"Lesson {lesson.number} is not started yet. Start it: uv run lesson start {lesson.number}"
        )


def shown(path: Path) -> str:
    """A path as short as it can be read: from the current folder where it lies below that."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return str(path)


def undo(lesson: Lesson, backup: Path) -> str:
    """The command that brings a backup back."""
    return f"uv run lesson reset {lesson.number} --to {backup.name}"
