"""A lesson's notebook as slides: run beside a target's main.py, and written as files that open without a server."""

import ast
import re
import shutil
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Any

from lessonkit.course import Lesson, LessonError
from lessonkit.files import explained

LITTLE_LINES = 2  # so short an output has no slide of its own, where its code is not too long either
ROOM_LINES = 21  # code and output that one slide shows in type that the last row reads
LINE_CHARACTERS = 95
COMMENT_CHARACTERS = 78
PICTURE_LINES = 18
ROW_LINES = 1.5  # a table's row beside a line of code
STYLE = "xcode"
REVEAL = ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js")
WIDGET = "application/vnd.jupyter.widget-view+json"
FRAME = "The running app is shown here in the notebook. To show it live: uv run lesson serve {number}"

Cell = Any
Kernel = Any


def make_slides(lesson: Lesson, target: str = "solution", kernel: Kernel = None) -> Path:
    """Run the lesson's notebook beside the main.py of `target` and write its slides; returns the page to open.

    They lie in `work/.slides/NN_slug/`. The run happens in a folder of its own, in `kernel` or in a new one.
    Raises LessonError where there is no such target or notebook, or where it cannot be run.
    """
    notes = read_notes(lesson)
    notebook = _run(lesson, target, kernel)
    notebook.cells = [one for cell in notebook.cells for one in _slides_of(cell, lesson, notes)]
    _head(notebook.cells)
    notebook.metadata = {"title": f"Lesson {lesson.number} · {lesson.title}"}
    page = _page(notebook)
    folder = lesson.work.parent / ".slides" / lesson.name
    with explained(f"Writing the slides of {lesson.name}"):
        shutil.rmtree(folder, ignore_errors=True)
        for name in REVEAL:
            _copy(_reveal() / name, folder / "reveal.js" / name)
        for name in ("deck.css", "deck.js"):
            _copy(_template() / name, folder / name)
        index = folder / "index.html"
        index.write_text(page, encoding="utf-8")
    return index


def read_notes(lesson: Lesson) -> dict[str, str]:
    """What to say at a slide, by the id of its cell, from the table `[notes]` of the lesson's `talk.toml`.

    Raises LessonError for a file that is not what it should be; without one there are no notes.
    """
    if not lesson.talk.is_file():
        return {}
    where = lesson.talk.relative_to(lesson.root).as_posix()
    try:
        notes = tomllib.loads(lesson.talk.read_text(encoding="utf-8")).get("notes", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LessonError(f"{where} is not valid TOML: {error}. Mend it, then try again.") from None
    if not isinstance(notes, dict) or not all(isinstance(text, str) for text in notes.values()):
        raise LessonError(f'{where} has a note that is not a text. Write it as: cell-id = "What to say."')
    return {name: " ".join(text.split()) for name, text in notes.items()}


def _run(lesson: Lesson, target: str, kernel: Kernel) -> Any:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from lessonkit.author.notebooks import execute

    if not lesson.notebook.is_file():
        raise LessonError(f"Lesson {lesson.number} has no notebook, so there is nothing to show.")
    try:
        return execute(lesson, target, kernel)
    except (CellTimeoutError, DeadKernelError):
        raise LessonError(
            f"The notebook of lesson {lesson.number} did not run to its end beside {target}. "
            f"Look at that main.py first: uv run lesson check {lesson.number} --target {target}"
        ) from None


def _slides_of(cell: Cell, lesson: Lesson, notes: dict[str, str]) -> Iterator[Cell]:
    """A cell as the slides have it: none, itself, or its code in parts and then what it shows."""
    kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
    if kind == "skip":
        return
    cell.metadata = {"slideshow": {"slide_type": kind}, "note": notes.get(cell.id, "")}
    if cell.cell_type != "code":
        yield cell
        return
    outputs = [seen for output in cell.outputs if (seen := _for_the_wall(output, lesson))]
    parts = [_part(cell, source, number) for number, source in enumerate(_parts(cell.source))]
    code, shown = _lines(parts[-1].source), sum(map(_height, outputs))
    if outputs and code > 1 and code + shown > ROOM_LINES + (LITTLE_LINES if shown <= LITTLE_LINES else 0):
        parts.append(_part(cell, "", len(parts)))
    parts[-1].outputs = outputs
    yield from parts


def _head(cells: list[Cell]) -> None:
    """Give what stands below a heading that heading, in small: where in the lesson a slide is."""
    heading = ""
    for cell in cells:
        found = re.match(r"#{1,2} (.+)", cell.source) if cell.cell_type == "markdown" else None
        cell.metadata["heading"] = "" if found else heading
        heading = found[1].replace("`", "") if found else heading


def _part(cell: Cell, source: str, number: int) -> Cell:
    """Part `number` of a cell: the first is where the cell begins, the others have slides of their own."""
    part = deepcopy(cell)
    part.source, part.outputs = source, []
    if number:
        part.metadata = {"slideshow": {"slide_type": "subslide"}, "note": ""}
        part.id = f"{cell.id}__{number + 1}"
    return part


def _parts(source: str) -> list[str]:
    """Code in as few parts as slides can show, cut between statements; one longer than a slide stays whole."""
    source = _for_few_lines(source)
    if _lines(source) <= ROOM_LINES + 3:
        return [source]
    lines = source.splitlines()
    try:
        tree = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return [source]
    assert isinstance(tree, ast.Module)
    ends = [node.end_lineno or 0 for node in tree.body[:-1]] + [len(lines)]
    parts: list[list[str]] = [[]]
    begin = 0
    for end in ends:
        if parts[-1] and _lines("\n".join(parts[-1] + lines[begin:end])) > ROOM_LINES:
            parts.append([])
        parts[-1] += lines[begin:end]
        begin = end
    return ["\n".join(part).strip("\n") for part in parts]


def _for_few_lines(source: str) -> str:
    """Code with one empty line where there were more, and comments wrapped for a slide's width."""
    lines: list[str] = []
    for is_comment, group in groupby(source.splitlines(), lambda line: line.startswith("# ")):
        block = list(group)
        if is_comment and any(len(line) > COMMENT_CHARACTERS for line in block):
            words = " ".join(line[2:] for line in block)
            block = [f"# {line}" for line in wrap(words, COMMENT_CHARACTERS - 2)]
        lines += block
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _lines(text: str) -> float:
    """How many lines a text takes on a slide, where long ones are wrapped."""
    return sum(1 + max(0, len(line) - 1) // LINE_CHARACTERS for line in text.splitlines())


def _height(output: Any) -> float:
    """About how many lines of code would be as high as this output."""
    if output.output_type == "error":
        return _lines("\n".join(output.traceback))
    if output.output_type == "stream":
        return _lines(output.text)
    html: str = output.data.get("text/html", "")
    if any(kind.startswith("image/") for kind in output.data) or "<img" in html or "<svg" in html:
        return PICTURE_LINES
    if "<tr" in html:
        return ROW_LINES * html.count("<tr") + _lines(re.sub(r"<[^>]*>", "", html)) / 4
    return _lines(output.data.get("text/plain", ""))


def _for_the_wall(output: Any, lesson: Lesson) -> Any:
    """An output as a page without a kernel can show it; None where nothing is to be seen."""
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
        return output
    if output.output_type == "stream":
        return output if output.text.strip() else None
    output.data.pop(WIDGET, None)
    if "<iframe" in output.data.get("text/html", ""):
        output.data = {"text/plain": FRAME.format(number=lesson.number)}
    return output if any(str(value).strip() for value in output.data.values()) else None


def _page(notebook: Any) -> str:
    import logging

    from nbconvert.exporters.slides import SlidesExporter
    from traitlets.config import Config

    config = Config(
        {
            "CSSHTMLHeaderPreprocessor": {"style": STYLE},
            "SlidesExporter": {
                "template_name": _template().name,
                "extra_template_basedirs": [str(_template().parent)],
                "exclude_input_prompt": True,
                "exclude_output_prompt": True,
                "exclude_anchor_links": True,
            },
        }
    )
    exporter = SlidesExporter(config=config)  # type: ignore[no-untyped-call]
    exporter.log.setLevel(logging.ERROR)
    text, _ = exporter.from_notebook_node(notebook)
    return str(text)


def _template() -> Path:
    return Path(__file__).with_name("deck")


def _reveal() -> Path:
    """Where the package that carries reveal.js has it."""
    found = find_spec("sphinx_revealjs")
    if found is None or found.origin is None:
        raise LessonError("reveal.js, which shows the slides, is not installed. Install it: uv sync")
    return Path(found.origin).parent / "_static" / "revealjs"


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)
