"""Lays out a new lesson: every file in its place, each failing the course tests until it is filled."""

import json
from pathlib import Path

from lessonkit.course import NAME, Course, Lesson, LessonError

_README = """# TO DO: the lesson's title

**Goal.** TO DO: what the learner will be able to do.

**Time.** TO DO: minutes.

## The contract

TO DO: one row an operation: what is sent, what comes back. Only what a check can test.
"""

_MAIN = '''"""TO DO: one line on what this file is."""

from fastapi import FastAPI

app = FastAPI()

# TODO(1): TO DO: the first step.
'''

_SUITE = '''"""TO DO: what this lesson is about, in one line."""

from lessonkit import expected, task


@task("GET /health", hints=["TO DO: where to look", "TO DO: which idea", "TO DO: nearly the code"])
def test_health_says_ok(client):
    """TO DO: the rule in one line."""
    reply = client.get("/health")
    assert reply.status_code == 200, expected("TO DO: what is right", next_step="TO DO: one thing to do")
'''

_MISTAKES = '''# TO DO: the wrong answers that people really give, before the checks that catch them.
#
# [[mistake]]
# name = "wrong_status"
# why = "What the learner was thinking."
# old = """..."""                    # stands exactly once in the solution
# new = """..."""
# caught_by = ["test_health_says_ok"]
# says = "words of the first message that name the cause"
'''


_TALK = """# What to say, ask or wait for at a slide, by the id of its cell. It is never given to a learner.
[notes]
to-do = "TO DO: two or three sentences; six notes at least"
"""


def lay_out(course: Course, name: str) -> list[str]:
    """Create the files of a lesson called `name` (`14_caching`); returns their paths from the root.

    Raises LessonError when the name has another form or its number is taken; nothing is overwritten.
    """
    if not NAME.match(name):
        raise LessonError(f"{name!r} is not a lesson's name. Use two digits and a word: 14_caching")
    taken = next((one for one in course.lessons() if one.number == int(name[:2])), None)
    if taken is not None:
        raise LessonError(f"Number {name[:2]} is taken by {taken.name}. Use the next free number.")
    lesson = Lesson(name, course.root)
    files = {
        lesson.readme: _README,
        lesson.starter / "main.py": _MAIN,
        lesson.solution / "main.py": _MAIN.replace(
            "# TODO(1): TO DO: the first step.\n", "# TO DO: the answer.\n"
        ),
        lesson.suite: _SUITE,
        lesson.mistakes: _MISTAKES,
        lesson.notebook: _notebook(),
        lesson.talk: _TALK,
    }
    written = []
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        written.append(_relative(path, course.root))
    return written


def _notebook() -> str:
    cell = {
        "cell_type": "markdown",
        "id": "to-do",
        "metadata": {"slideshow": {"slide_type": "slide"}},
        "source": ["TO DO: the notebook, 20 to 25 cells"],
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
