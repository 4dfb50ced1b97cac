"""Wrong answers that people really give, and whole answers that must get a given verdict.

`tests/mistakes/NN_slug.toml` holds two kinds of tables. A `[[mistake]]` is a named replacement in the
solution; an `[[answer]]` is a whole main.py (a right answer in another style, the post's own listing).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lessonkit.course import Lesson, LessonError


@dataclass(frozen=True)
class Change:
    """One replacement: `old` stands exactly once in `file` of the solution and becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mistake:
    """A wrong answer (or, with no `caught_by`, a right one) and the verdict that it must get.

    `caught_by` lists every check that must fail, by name; all others must pass. `says` are texts that
    the first failing check's message must contain. `may_also_fail` lists checks that fail or pass with the
    speed of the machine. `planted` says what is wrong with the service where the learner's own tests are
    to find it; of a right answer, that they are to accept it.
    """

    lesson: str
    kind: str
    name: str
    why: str
    caught_by: tuple[str, ...]
    says: tuple[str, ...]
    may_also_fail: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    code: str | None = None
    planted: str = ""

    @property
    def target(self) -> str:
        return f"{self.kind}:{self.name}"

    def apply(self, folder: Path) -> None:
        """Make the change in `folder`, a copy of the solution.

        Raises LessonError when `old` does not stand there exactly once: the solution has moved on.
        """
        if self.code is not None:
            (folder / "main.py").write_text(self.code, encoding="utf-8")
        for change in self.changes:
            path = folder / change.file
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            times = text.count(change.old)
            if times != 1:
                raise LessonError(
                    f"The mistake {self.name!r} of {self.lesson} no longer applies: its `old` stands {times} "
                    f"times in solutions/{self.lesson}/{change.file}. Bring it in line with the solution."
                )
            path.write_text(text.replace(change.old, change.new), encoding="utf-8")


def read_mistakes(lesson: Lesson) -> list[Mistake]:
    """The lesson's wrong and right answers, in the file's order; empty when there is no file.

    Raises LessonError when the file is not TOML or a table lacks a key.
    """
    if not lesson.mistakes.is_file():
        return []
    try:
        tables = tomllib.loads(lesson.mistakes.read_text(encoding="utf-8"))
        return [
            _read(lesson, kind, table) for kind in ("mistake", "answer") for table in tables.get(kind, [])
        ]
    except tomllib.TOMLDecodeError as error:
        raise LessonError(f"{lesson.mistakes.name} is not valid TOML: {error}.") from None
    except KeyError as error:
        raise LessonError(f"A table of {lesson.mistakes.name} lacks the key {error}.") from None


def _read(lesson: Lesson, kind: str, table: dict[str, Any]) -> Mistake:
    says = table.get("says", [])
    changes = [table, *table.get("also", [])] if kind == "mistake" else []
    return Mistake(
        lesson=lesson.name,
        kind=kind,
        name=table["name"],
        why=table["why"],
        caught_by=tuple(table["caught_by"]),
        says=(says,) if isinstance(says, str) else tuple(says),
        may_also_fail=tuple(table.get("may_also_fail", [])),
        changes=tuple(Change(one.get("file", "main.py"), one["old"], one["new"]) for one in changes),
        code=table["code"] if kind == "answer" else None,
        planted=str(table.get("planted", "")),
    )
