"""The rules of a lesson's notebook: how it is kept, how it reads, and how it becomes slides."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from lessonkit.course import Lesson, LessonError
from lessonkit.slides import read_notes

MOST_WORDS = 120
# What the notebook's half of the studio shows of a line of text, in a window of 1440 pixels.
MOST_COLUMNS = 64
CELLS = range(20, 26)
CELL_KEYS = {"cell_type", "id", "metadata", "source", "outputs", "execution_count", "attachments"}
SLIDES = ("slide", "subslide", "fragment", "skip", "-")
LEAST_NOTES = 6
DRAWN = re.compile(r"^.*[─│►▶▼].*$", re.MULTILINE)


def notebook_is_clean(lesson: Lesson) -> Iterator[str]:
    """A notebook is committed without outputs, counts or machine metadata, with readable cell ids."""
    notebook = _notebook(lesson)
    if notebook is None:
        yield f"notebooks/{lesson.notebook.name} is not a notebook."
        return
    if notebook.get("metadata"):
        yield f"notebooks/{lesson.notebook.name} holds metadata: {', '.join(notebook['metadata'])}."
    seen: set[str] = set()
    for cell in notebook["cells"]:
        name = cell.get("id", "")
        if not re.match(r"^[a-z][a-z0-9-]+$", name) or re.match(r"^[0-9a-f]{8}$", name) or name in seen:
            yield f"The cell id {name!r} is not a readable one of its own, like predict-422."
        seen.add(name)
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield f"The cell {name} holds outputs or an execution count; clear them."
        if set(cell.get("metadata", {})) - {"tags", "slideshow"} or set(cell) - CELL_KEYS:
            yield f"The cell {name} holds metadata of a machine."


def cells_are_slides(lesson: Lesson) -> Iterator[str]:
    """Every cell says whether it begins a slide, stands below one, joins it, or is left out of the slides."""
    notebook = _notebook(lesson)
    cells = [] if notebook is None else notebook["cells"]
    for cell in cells:
        marked = cell.get("metadata", {}).get("slideshow")
        if (
            not isinstance(marked, dict)
            or list(marked) != ["slide_type"]
            or marked["slide_type"] not in SLIDES
        ):
            yield (
                f"The cell {cell.get('id')} has no slide type. Its metadata hold "
                f'{{"slideshow": {{"slide_type": …}}}}, which is one of {", ".join(SLIDES)}.'
            )


def notes_belong_to_slides(lesson: Lesson) -> Iterator[str]:
    """The speaker notes of talk.toml are texts for cells that the slides show; six at least."""
    try:
        notes = read_notes(lesson)
    except LessonError as error:
        yield str(error)
        return
    if len(notes) < LEAST_NOTES:
        yield f"lessons/{lesson.name}/{lesson.talk.name} has {len(notes)} notes, fewer than {LEAST_NOTES}."
    cells = (_notebook(lesson) or {"cells": []})["cells"]
    types = {
        cell.get("id"): cell.get("metadata", {}).get("slideshow", {}).get("slide_type") for cell in cells
    }
    for name, text in notes.items():
        if types.get(name, "skip") == "skip":
            yield f"The note {name} is for no cell that the slides show."
        if not text:
            yield f"The note {name} is empty."


def notebook_is_readable(lesson: Lesson) -> Iterator[str]:
    """20 to 25 cells, no text cell above 120 words, at least two predictions, check() and a hint."""
    notebook = _notebook(lesson)
    if notebook is None:
        return
    cells = [(cell["id"], cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    if len(cells) not in CELLS:
        yield f"notebooks/{lesson.notebook.name} has {len(cells)} cells, not {CELLS.start} to {CELLS.stop - 1}."
    for name, kind, text in cells:
        words = len(re.sub(r"```.*?```", "", text, flags=re.DOTALL).split())
        if kind == "markdown" and words > MOST_WORDS:
            yield f"The cell {name} has {words} words, more than {MOST_WORDS}."
    if "check()" not in {name: text for name, _, text in cells}.get("check-your-work", ""):
        yield f"notebooks/{lesson.notebook.name} has no cell check-your-work that calls check()."
    code = "\n".join(text for _, kind, text in cells if kind == "code")
    for wanted, times in (("predict(", 2), (".compare(", 2), ("hint()", 1)):
        if code.count(wanted) < times:
            yield f"notebooks/{lesson.notebook.name} calls {wanted} fewer than {times} times."


def drawings_fit(lesson: Lesson) -> Iterator[str]:
    """A line of a drawing in a text cell is short enough not to be broken in the studio."""
    for cell in (_notebook(lesson) or {"cells": []})["cells"]:
        widest = max(map(len, DRAWN.findall("".join(cell["source"]))), default=0)
        if cell["cell_type"] == "markdown" and widest > MOST_COLUMNS:
            yield f"The drawing of the cell {cell.get('id')} has {widest} columns, more than {MOST_COLUMNS}."


NOTEBOOK_RULES: tuple[Callable[[Lesson], Iterator[str]], ...] = (
    notebook_is_clean,
    notebook_is_readable,
    drawings_fit,
    cells_are_slides,
    notes_belong_to_slides,
)


def _notebook(lesson: Lesson) -> dict[str, Any] | None:
    try:
        notebook = json.loads(lesson.notebook.read_text(encoding="utf-8"))
        return notebook if isinstance(notebook["cells"], list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
