"""What a suite is pointed at: the learner's work, the starter, the solution, any path, a mistake, a null app."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lessonkit.course import Lesson, LessonError
from lessonkit.mistakes import read_mistakes
from lessonkit.nulls import NULL_APPS, null_app
from lessonkit.packages import packages_of


@dataclass(frozen=True)
class Target:
    """A file to check, under the name it was asked for by. `needs` are the packages that its lesson works with."""

    name: str
    main: Path
    needs: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        return self.main.parent


@contextmanager
def open_target(lesson: Lesson, wanted: str) -> Iterator[Target]:
    """The target called `wanted`, for as long as the block lasts.

    `work`, `starter`, `solution`; `mistake:NAME` and `answer:NAME` from the lesson's mistakes;
    `null:NAME` (see `nulls`); anything else is the path of a folder with a `main.py`, or of a file.
    Raises LessonError for a name that is none of these.
    """
    folders = {"work": lesson.work, "starter": lesson.starter, "solution": lesson.solution}
    kind, _, name = wanted.partition(":")
    needs = packages_of(lesson)
    if wanted in folders:
        yield Target(wanted, folders[wanted] / "main.py", needs)
    elif kind in ("mistake", "answer", "null") and name:
        with tempfile.TemporaryDirectory(prefix="lesson-") as scratch:
            folder = Path(scratch).resolve() / lesson.name
            _lay_out(lesson, kind, name, folder)
            yield Target(wanted, folder / "main.py", needs)
    else:
        path = Path(wanted).expanduser()
        if not path.exists():
            raise LessonError(
                f"There is no target {wanted!r}. A target is work, starter, solution, "
                "or the path of a folder that holds a main.py."
            )
        yield Target(wanted, (path / "main.py" if path.is_dir() else path).resolve(), needs)


def _lay_out(lesson: Lesson, kind: str, name: str, folder: Path) -> None:
    """Put the files of a mistake, a whole answer or a null app into `folder`."""
    if kind == "null":
        from lessonkit.suite import checks_of  # imports pytest, which a cold start should not wait for

        if name not in NULL_APPS:
            raise LessonError(f"There is no null app {name!r}; there are {', '.join(NULL_APPS)}.")
        _copy_solution(lesson, folder)
        operations = [check.task.operation for check in checks_of(lesson)]
        (folder / "main.py").write_text(null_app(name, operations), encoding="utf-8")
        return
    mistakes = read_mistakes(lesson)
    found = next((one for one in mistakes if one.target == f"{kind}:{name}"), None)
    if found is None:
        raise LessonError(
            f"There is no {kind} {name!r}. Their names stand in tests/mistakes/{lesson.name}.toml."
        )
    _copy_solution(lesson, folder)
    found.apply(folder)


def _copy_solution(lesson: Lesson, folder: Path) -> None:
    shutil.copytree(lesson.solution, folder, ignore=shutil.ignore_patterns("__pycache__"))
