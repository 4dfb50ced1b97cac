"""`lesson reset`: a lesson as it was given, one as it was saved, or a clean desk; nothing is lost."""

from typing import Annotated

import typer

from lessonkit.command.application import application
from lessonkit.command.common import Which, chosen, say, shown, undo
from lessonkit.course import LessonError, find_course
from lessonkit.progress import Progress


@application.command()
def reset(
    which: Which = None,
    to: Annotated[
        str | None, typer.Option(help="The name of a backup to bring back.", metavar="BACKUP")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Clear the desk: every lesson in work/ goes into the backups.")
    ] = False,
) -> None:
    """Bring a lesson's files back to how they were given. What was there is saved first."""
    from lessonkit.workspace import reset as reset_files

    if everything:
        if which is not None or to is not None:
            raise LessonError("--all stands alone: uv run lesson reset --all")
        _clear_everything()
        return
    if which is None:
        raise LessonError("Which lesson? uv run lesson reset N, or all of them: uv run lesson reset --all")
    _, lesson, progress = chosen(which)
    done = reset_files(lesson, to)
    progress.forget(lesson)
    source = "as the course gives it" if to is None else f"as saved in {to}"
    if not done.updated:
        say(f"Lesson {lesson.number}: every file was already {source}; nothing changed.")
    for name in done.updated:
        say(f"  {shown(lesson.work)}/{name} is {source}")
    if done.backup is not None:
        say(
            f"What was there is in {shown(done.backup)}. To bring it back: {undo(lesson, done.backup)}",
            "cyan",
        )


def _clear_everything() -> None:
    from lessonkit.workspace import clear

    course = find_course()
    progress = Progress(course)
    cleared = False
    for lesson in course.lessons():
        backup = clear(lesson)
        if backup is not None:
            cleared = True
            say(f"  Lesson {lesson.number} is in {shown(backup)}. To bring it back: {undo(lesson, backup)}")
        progress.forget(lesson)
    say(
        "The desk is clean. Begin: uv run lesson start 1" if cleared else "The desk was clean already.",
        "cyan",
    )
