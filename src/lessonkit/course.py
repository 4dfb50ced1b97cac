"""What the course is made of: lessons, all derived from folder names."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"^(\d\d)_[a-z][a-z0-9_]*$")


class LessonError(Exception):
    """Something a person asked for cannot be done.

    Its text is one sentence that says what is wrong, then a next step; the command line and the
    notebook show it as it is, without a traceback.
    """


@dataclass(frozen=True)
class Lesson:
    """One lesson: its name (`01_prediction_request`) and the course's root; every path follows."""

    name: str
    root: Path

    @property
    def number(self) -> int:
        return int(self.name[:2])

    @property
    def starter(self) -> Path:
        return self.root / "lessons" / self.name

    @property
    def readme(self) -> Path:
        return self.starter / "README.md"

    @property
    def notebook(self) -> Path:
        return self.root / "notebooks" / f"{self.name}.ipynb"

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / self.name

    @property
    def suite(self) -> Path:
        return self.root / "tests" / f"test_{self.name}.py"

    @property
    def mistakes(self) -> Path:
        return self.root / "tests" / "mistakes" / f"{self.name}.toml"

    @property
    def talk(self) -> Path:
        """What an instructor says and does in class; never given to a learner."""
        return self.starter / "talk.toml"

    @property
    def work(self) -> Path:
        return self.root / "work" / self.name

    @property
    def title(self) -> str:
        """The first heading of the lesson's README; its name where there is none yet."""
        if self.readme.is_file():
            for line in self.readme.read_text(encoding="utf-8").splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
        return self.name

    def check_names(self) -> list[str]:
        """The suite's test functions in the order they stand there, read without running it."""
        if not self.suite.is_file():
            return []
        tree = ast.parse(self.suite.read_text(encoding="utf-8"))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [
            node.name for node in tree.body if isinstance(node, functions) and node.name.startswith("test_")
        ]


@dataclass(frozen=True)
class Course:
    """A folder that holds `lessons/`, `notebooks/`, `solutions/` and `tests/`."""

    root: Path

    @property
    def work(self) -> Path:
        return self.root / "work"

    def lessons(self) -> list[Lesson]:
        """Every lesson, in the order of its number."""
        folder = self.root / "lessons"
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        return [Lesson(name, self.root) for name in names if NAME.match(name)]

    def after(self, lesson: Lesson) -> Lesson | None:
        """The lesson that comes next; None after the last one."""
        return next((one for one in self.lessons() if one.number > lesson.number), None)

    def lesson(self, wanted: str) -> Lesson:
        """The lesson called `1`, `01`, `01_prediction_request` or `prediction_request`.

        Raises LessonError when there is none.
        """
        lessons = self.lessons()
        text = wanted.strip().rstrip("/")
        for lesson in lessons:
            if text in (lesson.name, lesson.name[3:]):
                return lesson
            if text.isascii() and text.isdigit() and int(text) == lesson.number:
                return lesson
        known = ", ".join(str(lesson.number) for lesson in lessons)
        raise LessonError(
            f"There is no lesson {wanted!r}; the lessons are {known}. See them with: uv run lesson list"
        )


def find_course(start: Path | None = None) -> Course:
    """The course that `start` (the current folder) lies in, else the one this package belongs to.

    Raises LessonError when neither is a course.
    """
    origin = (start or Path.cwd()).resolve()
    package = Path(__file__).resolve().parents[2]
    for folder in (origin, *origin.parents, package):
        if all((folder / part).is_dir() for part in ("lessons", "solutions", "tests")):
            return Course(folder)
    raise LessonError(
        "This folder is not inside the course. Change to the folder that holds `lessons/` and try again."
    )
