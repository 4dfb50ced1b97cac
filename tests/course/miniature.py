"""A whole course in a few small files, good as it is: tests break one thing in it and look who notices."""

import json
from pathlib import Path

from lessonkit.course import Course, Lesson

NAME = "01_greeting"

README = "# A greeting\n\nGET /greeting answers with a greeting.\n"

STARTER = '''"""A greeting."""

from fastapi import FastAPI

app = FastAPI()

# TODO(1): answer GET /greeting with {"text": "hello"}, and take a name.
'''

SOLUTION = '''"""A greeting."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/greeting")
def greeting(name: str = "you") -> dict[str, str]:
    return {"text": f"hello {name}"}
'''

SUITE = '''"""A greeting."""

from lessonkit import expected, json_body, task


@task("GET /greeting", hints=["Look at the decorator.", "A path needs a function."])
def test_greeting_is_answered(client):
    """GET /greeting answers hello you."""
    reply = client.get("/greeting")
    assert json_body(reply) == {"text": "hello you"}, expected("hello you", next_step="Return a dict.")


@task("GET /greeting", hints=["Look at the parameter."])
def test_name_is_greeted(client):
    """A name is greeted."""
    reply = client.get("/greeting?name=Ada")
    assert json_body(reply) == {"text": "hello Ada"}, expected("hello Ada", next_step="Use the name.")
'''

MISTAKES = """
[[mistake]]
name = "name_ignored"
why = "The parameter is declared and forgotten."
old = "hello {name}"
new = "hello you"
caught_by = ["test_name_is_greeted"]
says = "Use the name"

[[answer]]
name = "query_of_another_style"
why = "A lambda is a function."
caught_by = []
code = '''
from fastapi import FastAPI
app = FastAPI()
app.get("/greeting")(lambda name="you": {"text": "hello " + name})
'''
"""


TALK = """
[notes]
text-0 = "Say good morning, and wait for the answer."
text-1 = "Ask who greets first."
text-2 = "Let them vote."
text-3 = "Wait for a hand."
guess-a = "Ask for a guess before the cell runs."
check-your-work = "Count the green ones aloud."
"""

SLIDE = {"slideshow": {"slide_type": "slide"}}


def notebook() -> dict[str, object]:
    """A notebook of 20 cells that keeps every rule."""
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "id": f"text-{number}", "metadata": SLIDE, "source": ["A line."]}
        for number in range(17)
    ]
    sources = {
        "guess-a": "from lessonkit import check, hint, predict\n"
        "a = predict('one?', 1, 2)\nb = predict('two?', 1, 2)\na.compare(1), b.compare(2)",
        "check-your-work": "check()",
        "next-hint": "hint()",
    }
    for name, source in sources.items():
        cells.append(
            {
                "cell_type": "code",
                "execution_count": None,
                "id": name,
                "metadata": SLIDE,
                "outputs": [],
                "source": [source],
            }
        )
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def make(root: Path) -> Lesson:
    """Write the course into `root` and return its one lesson."""
    lesson = Lesson(NAME, root)
    files = {
        lesson.readme: README,
        lesson.starter / "main.py": STARTER,
        lesson.solution / "main.py": SOLUTION,
        lesson.suite: SUITE,
        lesson.mistakes: MISTAKES,
        lesson.notebook: json.dumps(notebook()),
        lesson.talk: TALK,
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Course(root).lessons()[0]


def course(lesson: Lesson) -> Course:
    """The course that a lesson is of."""
    return Course(lesson.root)


def edit(path: Path, old: str, new: str) -> None:
    """Replace `old`, which must stand in the file, by `new`."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} does not stand in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")
