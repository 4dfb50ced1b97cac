"""`lesson demo`: a lesson step by step in front of a class, and the rehearsal before it."""

from typing import Annotated

import typer

from lessonkit.command.application import application
from lessonkit.command.common import say_findings
from lessonkit.course import LessonError, find_course


@application.command()
def demo(
    which: Annotated[
        list[str] | None, typer.Argument(metavar="N", help="1, 01 or 01_prediction_request.")
    ] = None,
    step: Annotated[
        int | None, typer.Option(help="Bring main.py to the state after this step; 0 is the starter.", min=0)
    ] = None,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Run every step of these lessons, and say what would fail here."),
    ] = False,
) -> None:
    """Show a lesson step by step: its main.py, its checks and its app change with a key. For instructors."""
    course = find_course()
    if rehearse:
        from lessonkit.rehearsal import rehearse as findings

        lessons = [course.lesson(one) for one in which] if which else course.lessons()
        say_findings(findings(lessons), "Everything that was tried works here.")
        return
    from lessonkit.checkpoints import steps_of
    from lessonkit.command.presenter import present

    if not which or len(which) > 1:
        raise LessonError("Which lesson? uv run lesson demo 1")
    lesson = course.lesson(which[0])
    last = len(steps_of(lesson))
    if step is not None and step > last:
        raise LessonError(f"Lesson {lesson.number} has {last} steps: --step 0 to --step {last}.")
    if not present(lesson, step or 0):
        raise typer.Exit(1)
