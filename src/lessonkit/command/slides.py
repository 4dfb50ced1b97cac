"""The command that turns a lesson's notebook into slides."""

import webbrowser
from typing import Annotated

import typer

from lessonkit.command.application import application
from lessonkit.command.common import Required, chosen, refuse_unstarted, say, shown


@application.command()
def slides(
    which: Required,
    target: Annotated[
        str,
        typer.Option(help="Run it beside this main.py: solution, starter, work, or the path of a folder."),
    ] = "solution",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the slides, or only write them.")
    ] = True,
) -> None:
    """Run a lesson's notebook and show it as slides, which need no server and no internet."""
    from lessonkit.lab import has_browser
    from lessonkit.slides import make_slides

    _, lesson, _ = chosen(which)
    if target == "work":
        refuse_unstarted(lesson)
    say(
        f"The notebook of lesson {lesson.number} runs once, beside {target}; that takes from a few seconds to two minutes …"
    )
    page = make_slides(lesson, target)
    say(f"The slides are in {shown(page)}", "bold")
    if browser and has_browser():
        webbrowser.open(page.as_uri())
    else:
        say(f"Open this address in a browser: {page.as_uri()}")
    say("Keys: Space goes on, S opens the speaker notes, F fills the screen, Esc shows all slides.", "cyan")
