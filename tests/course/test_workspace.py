"""No byte that a learner wrote is lost: not by any order of commands, nor by one that is cut off anywhere."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.course import miniature

from lessonkit import workspace
from lessonkit.course import Lesson, LessonError

CALLS = ("rename", "replace", "fsync")


class Killed(BaseException):
    """Stands for the end of the process; nothing after it may run."""


@contextmanager
def failing_at(step: int, error: Callable[[], BaseException], *, dead: bool) -> Iterator[None]:
    """The `step`-th of the calls that touch the disk raises; when `dead`, so does every one after it."""
    count = 0
    real = {name: getattr(os, name) for name in (*CALLS, "unlink")}

    def failing(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += name != "unlink"
            if count == step or (dead and count > step):
                raise error()
            return real[name](*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, failing(name))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


class Learner(RuleBasedStateMachine):
    """A learner who writes, starts, resets and brings back, on a machine that fails now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory(prefix="lesson-")
        self.lesson: Lesson = miniature.make(Path(self.scratch.name))
        self.written = 0
        self.precious: set[bytes] = set()

    def teardown(self) -> None:
        self.scratch.cleanup()

    def files(self) -> list[Path]:
        work = self.lesson.work.parent
        return [path for path in work.rglob("*") if path.is_file()] if work.is_dir() else []

    @rule(name=st.sampled_from(["main.py", "01_greeting.ipynb", "notes.txt"]))
    def write(self, name: str) -> None:
        """What the learner replaces is theirs to replace; all else stays precious."""
        path = self.lesson.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            self.precious.discard(path.read_bytes())
        self.written += 1
        data = f"my version {self.written}".encode()
        path.write_bytes(data)
        self.precious.add(data)

    @rule()
    def start(self) -> None:
        workspace.start(self.lesson)
        assert (self.lesson.work / "main.py").is_file()

    @rule()
    def reset(self) -> None:
        workspace.reset(self.lesson)
        assert (self.lesson.work / "main.py").read_bytes() == (self.lesson.starter / "main.py").read_bytes()

    @precondition(lambda self: bool(workspace.backups(self.lesson)))
    @rule(data=st.data())
    def bring_back(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(workspace.backups(self.lesson)))
        saved = workspace.backup_folder(self.lesson) / name / "main.py"
        workspace.reset(self.lesson, name)
        if saved.is_file():
            assert (self.lesson.work / "main.py").read_bytes() == saved.read_bytes()

    @rule()
    def the_course_moves_on(self) -> None:
        path = self.lesson.starter / "main.py"
        path.write_text(path.read_text(encoding="utf-8") + "# newer\n", encoding="utf-8")

    @rule(
        step=st.integers(1, 12),
        command=st.sampled_from([workspace.start, workspace.reset]),
        kill=st.booleans(),
    )
    def fail(self, step: int, command: Callable[[Lesson], object], kill: bool) -> None:
        before = {path: path.read_bytes() for path in self.files() if path.parent == self.lesson.work}
        with suppress(Killed, LessonError), failing_at(step, Killed if kill else full_disk, dead=kill):
            command(self.lesson)
            return
        if not kill:
            after = {path: path.read_bytes() for path in self.files() if path.parent == self.lesson.work}
            assert after == before, "a command that failed left another state behind"

    @invariant()
    def nothing_is_lost(self) -> None:
        there = {path.read_bytes() for path in self.files()}
        assert self.precious <= there, f"lost: {self.precious - there}"


Learner.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestLearner = Learner.TestCase


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    return miniature.make(tmp_path / "a course with spaces, and ünïcode")


def test_start_gives_main_and_notebook_side_by_side(lesson: Lesson) -> None:
    done = workspace.start(lesson)
    assert done.created == ("README.md", "main.py", "01_greeting.ipynb")
    assert sorted(path.name for path in lesson.work.iterdir()) == [
        "01_greeting.ipynb",
        "README.md",
        "main.py",
    ]


def test_untouched_file_is_updated_and_a_touched_one_is_kept(lesson: Lesson) -> None:
    workspace.start(lesson)
    mine = lesson.work / "01_greeting.ipynb"
    mine.write_text("mine", encoding="utf-8")
    miniature.edit(lesson.starter / "main.py", "A greeting", "A newer greeting")
    miniature.edit(lesson.notebook, "A line.", "A newer line.")
    done = workspace.start(lesson)
    assert done.updated == ("main.py",)
    assert done.kept == done.newer == ("01_greeting.ipynb",)
    assert mine.read_text(encoding="utf-8") == "mine"


def test_reset_saves_and_can_be_taken_back(lesson: Lesson) -> None:
    workspace.start(lesson)
    (lesson.work / "main.py").write_text("mine", encoding="utf-8")
    (lesson.work / "notes.txt").write_text("notes", encoding="utf-8")
    done = workspace.reset(lesson)
    assert done.backup is not None
    assert (done.backup / "main.py").read_text(encoding="utf-8") == "mine"
    assert (lesson.work / "notes.txt").read_text(encoding="utf-8") == "notes"
    workspace.reset(lesson, done.backup.name)
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["gone", "..", "../..", ""])
def test_unknown_backup_is_refused_and_changes_nothing(lesson: Lesson, name: str) -> None:
    workspace.start(lesson)
    (lesson.work / "main.py").write_text("mine", encoding="utf-8")
    with pytest.raises(LessonError, match="There is no backup"):
        workspace.reset(lesson, name)
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == "mine"


def test_full_disk_is_one_sentence(lesson: Lesson) -> None:
    workspace.start(lesson)
    (lesson.work / "main.py").write_text("mine", encoding="utf-8")
    with failing_at(1, full_disk, dead=False), pytest.raises(LessonError, match="No space left on device"):
        workspace.reset(lesson)
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == "mine"
