"""The states that a lesson's main.py goes through on the way from starter to solution, a step at a time.

Apart from its TODO comments and `pass`, every line of a starter stands in the solution too. What the solution has
between these lines are pieces, each known by the first name that it defines. The steps, in `lessons/NN_slug/talk.toml`,
say which TODOs they do; a piece belongs to the step of the TODO at its place, or to the step that names it in `brings`.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from lessonkit.course import Lesson, LessonError
from lessonkit.mistakes import Mistake, read_mistakes

TODO = re.compile(r"\s*# TODO\((\d+)\)")
FILLER = re.compile(r"\s*(pass|\.\.\.)$")
NAME = re.compile(r"\s*(?:async def|def|class)\s+(\w+)|\s*(\w+)\s*[=:]|\s*(?:from|import)\s+(\w+)")
DOCSTRING = '"""'
MAIN = "main.py"


@dataclass(frozen=True)
class Step:
    """One step of a demonstration, as its author wrote it.

    `todos` are the TODOs of the starter that are done with it, `brings` names pieces that stand elsewhere, or whole
    files. `green` are the checks that pass from here on. `mistake` is one of the lesson's, to show on purpose.
    """

    number: int
    title: str
    minutes: float
    say: str
    green: tuple[str, ...]
    todos: tuple[int, ...]
    brings: tuple[str, ...] = ()
    mistake: str = ""


@dataclass(frozen=True)
class _Piece:
    """Lines that stand in one of the two files only. `todo` is 0 where it is code of the solution."""

    at: int  # the number of common lines before it
    place: int  # the same, blank ones left out
    lines: tuple[str, ...]
    name: str = ""
    todo: int = 0


def steps_of(lesson: Lesson) -> list[Step]:
    """The steps of a lesson, in order. Raises LessonError where there are none."""
    tables = tomllib.loads(lesson.talk.read_text(encoding="utf-8")) if lesson.talk.is_file() else {}
    steps = [
        Step(
            number,
            str(one["title"]),
            float(one["minutes"]),
            str(one["say"]).strip(),
            tuple(one["green"]),
            tuple(one.get("todos", [number])),
            tuple(one.get("brings", [])),
            str(one.get("mistake", "")),
        )
        for number, one in enumerate(tables.get("step", []), 1)
    ]
    if not steps:
        raise LessonError(f"Lesson {lesson.number} has no steps to show: {lesson.talk} has no [[step]].")
    return steps


def checkpoint(lesson: Lesson, after: int) -> dict[str, str]:
    """The text of each file that the steps change, by name, once the first `after` steps are done."""
    done = steps_of(lesson)[:after]
    brought = {name for step in done for name in step.brings}
    starter = (lesson.starter / MAIN).read_text(encoding="utf-8")
    files = {
        MAIN: _text(lesson, {todo for step in done for todo in step.todos}, brought) if done else starter
    }
    for name in sorted({name for step in steps_of(lesson) for name in step.brings if name.endswith(".py")}):
        source = lesson.solution if name in brought else lesson.starter
        files[name] = (source / name).read_text(encoding="utf-8")
    return files


def with_mistake(lesson: Lesson, after: int) -> dict[str, str]:
    """The files of a checkpoint with the mistake that belongs to its last step.

    Raises LessonError where the step has none, or where the code to be changed is not there.
    """
    step = steps_of(lesson)[after - 1] if after else None
    if step is None or not step.mistake:
        raise LessonError("This step has no mistake to show.")
    files = checkpoint(lesson, after)
    for change in mistake_of(lesson, step).changes:
        if files.get(change.file, "").count(change.old) != 1:
            raise LessonError(f"The mistake {step.mistake} has no place in {change.file} after step {after}.")
        files[change.file] = files[change.file].replace(change.old, change.new)
    return files


def mistake_of(lesson: Lesson, step: Step) -> Mistake:
    """The mistake that a step shows. Raises LessonError where the lesson has none of this name."""
    for one in read_mistakes(lesson):
        if one.name == step.mistake and one.kind == "mistake":
            return one
    raise LessonError(f"Lesson {lesson.number} has no mistake {step.mistake!r}.")


def homeless(lesson: Lesson) -> list[str]:
    """The names of the pieces that no step brings, and of those that steps bring and that are not there."""
    steps = steps_of(lesson)
    _, todos, pieces = _apart(lesson)
    named = {name for step in steps for name in step.brings if not name.endswith(".py")}
    done = {todo for step in steps for todo in step.todos}
    lost = [
        piece.name
        for piece in pieces
        if piece.name not in named and not (len(at := _todos_at(piece, todos)) == 1 and at <= done)
    ]
    lost += [f"TODO({todo.todo})" for todo in todos if todo.todo and todo.todo not in done]
    return lost + sorted(named - {piece.name for piece in pieces})


def _text(lesson: Lesson, done: set[int], brought: set[str]) -> str:
    common, todos, pieces = _apart(lesson)
    elsewhere = {name for step in steps_of(lesson) for name in step.brings}
    placed = [
        piece
        for piece in pieces
        if piece.name in brought or (piece.name not in elsewhere and _todos_at(piece, todos) & done)
    ]
    filled = {piece.place for piece in placed}
    lines: list[str] = []
    for at in range(len(common) + 1):
        for piece in placed:
            lines += piece.lines if piece.at == at else ()
        for todo in todos:
            if todo.at == at and todo.todo not in done and (todo.todo or todo.place not in filled):
                lines += todo.lines
        lines += common[at : at + 1]
    text = re.sub(r"(?<=[^\n@])\n{2,}(?=@|class |(?:async )?def |# TODO)", "\n\n\n", "\n".join(lines))
    return re.sub(r"\n{4,}", "\n\n\n", text).rstrip("\n") + "\n"


def _todos_at(piece: _Piece, todos: Sequence[_Piece]) -> set[int]:
    """The TODOs that a piece may be the answer to: those at its place."""
    return {todo.todo for todo in todos if todo.place == piece.place and todo.todo}


def _apart(lesson: Lesson) -> tuple[list[str], list[_Piece], list[_Piece]]:
    """The lines that starter and solution share, the starter's own pieces, and the solution's."""
    starter, todos = _without_todos((lesson.starter / MAIN).read_text(encoding="utf-8").splitlines())
    solution = (lesson.solution / MAIN).read_text(encoding="utf-8").splitlines()
    pieces: list[_Piece] = []
    matcher = SequenceMatcher(None, starter, solution, autojunk=False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind != "equal":
            if "".join(starter[first:last]).strip():
                raise LessonError(f"A line of the starter of {lesson.name} does not stand in its solution.")
            place = _place(starter[:first])
            pieces += [_Piece(first, place, part, _name(part)) for part in _parts(solution[begin:end])]
    return starter, todos, pieces


def _without_todos(lines: list[str]) -> tuple[list[str], list[_Piece]]:
    kept: list[str] = []
    todos: list[_Piece] = []
    while lines:
        length = 1
        if found := TODO.match(lines[0]):
            while length < len(lines) and re.match(r"\s*#(?! TODO\()", lines[length]):
                length += 1
            while length < len(lines) and not lines[length].strip():
                length += 1
            todos.append(_Piece(len(kept), _place(kept), tuple(lines[:length]), todo=int(found[1])))
        elif FILLER.match(lines[0]):
            todos.append(_Piece(len(kept), _place(kept), (lines[0],)))
        else:
            kept.append(lines[0])
        lines = lines[length:]
    return kept, todos


def _place(before: Sequence[str]) -> int:
    return sum(bool(line.strip()) for line in before)


def _parts(lines: list[str]) -> Iterator[tuple[str, ...]]:
    """Split at each line that stands as far to the left as any, after a blank one."""
    texts = [line for line in lines if line.strip()]
    if texts and texts[0].lstrip().startswith(DOCSTRING):
        yield tuple(lines)
        return
    margin = min((len(line) - len(line.lstrip()) for line in texts), default=0)
    part: list[str] = []
    for line in lines:
        begins = line.strip() and len(line) - len(line.lstrip()) == margin
        if part and begins and not part[-1].strip() and any(one.strip() for one in part):
            yield tuple(part)
            part = []
        part.append(line)
    if any(one.strip() for one in part):
        yield tuple(part)


def _name(lines: Sequence[str]) -> str:
    """The first name that lines of code define or give a value."""
    for line in filter(str.strip, lines):
        if line.lstrip().startswith(DOCSTRING):
            return "docstring"
        if not line.lstrip().startswith(("@", "#")) and (found := NAME.match(line)):
            return str(next(filter(None, found.groups())))
    return next((line.strip() for line in lines if line.strip()), "")
