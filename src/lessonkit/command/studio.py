"""The commands around a lesson: its app behind a real server, the end of JupyterLab, a look at the machine."""

from typing import Annotated

import typer

from lessonkit.command.application import application
from lessonkit.command.common import Which, chosen, refuse_unstarted, say, say_findings, shown
from lessonkit.course import find_course


@application.command()
def serve(
    which: Which = None,
    port: Annotated[
        int | None, typer.Option(help="The port on this machine; without it 8000, or any that is free.")
    ] = None,
) -> None:
    """Serve your app, and serve it anew at every save, until Ctrl-C. Its /docs needs no internet."""
    from lessonkit.live import serve as start

    _, lesson, _ = chosen(which)
    refuse_unstarted(lesson)
    server = start(lesson, lesson.work, port=port)
    if server.process is None:
        say(f"Lesson {lesson.number} is served already: {server.url}/docs")
        return
    say(f"{shown(lesson.work)}/main.py is on {server.url}, its documentation on {server.url}/docs", "bold")
    say(f"{server.note} It follows every save. Ctrl-C ends it.".strip(), "cyan")
    try:
        status = server.process.wait()
    except KeyboardInterrupt:
        server.stop()
        return
    if status != 0:
        say(
            "The server ended by itself: code in main.py ended the whole process. Start it again after mending it."
        )
        raise typer.Exit(1)


@application.command()
def stop() -> None:
    """End the JupyterLab that `lesson start` opened. Your files are saved."""
    from lessonkit.lab import stop_lab

    if stop_lab(find_course().work):
        say("JupyterLab has ended; you can close its page in the browser. To go on: uv run lesson start")
    else:
        say("No JupyterLab of this course runs.")


@application.command()
def doctor() -> None:
    """Look whether this machine has what the course needs, and say how to mend what it has not."""
    from lessonkit.doctor import examine

    say_findings(examine(find_course()), "Everything that the course needs is there.")
