"""The fixture `planted`: the learner's own tests, run on their app, on right services and on faulty ones.

A fault is a `[[mistake]]` of the lesson that says in `planted` what the service does wrong; an `[[answer]]`
with `planted = true` is a right service that differs from the solution wherever the contract leaves room.
Each run has a process of its own (`lessonkit.planted_runs`), since a test file may do anything. A test cannot
tell from a folder's name which service it meets, nor from how often it ran: the right ones come again among the faulty.
"""

import json
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from lessonkit.course import Lesson
from lessonkit.mistakes import read_mistakes
from lessonkit.plugin import CHECKS

TEST_FILE = "test_main.py"
OF_THE_LEARNER = (TEST_FILE, "conftest.py")
TEST_SECONDS = 15.0  # for one run of the learner's tests
END_SECONDS = 5.0


@dataclass(frozen=True)
class TestRun:
    """One run of the learner's tests: `outcome` is passed, failed, broken (the file does not load), none, died or hung.

    `passed` counts tests, and `skipped` those that are skipped or marked xfail; `test` is the first that failed,
    and `says` its message.
    """

    __test__ = False  # not a test of pytest's, whatever its name

    outcome: str
    passed: int = 0
    test: str = ""
    says: str = ""
    skipped: int = 0

    @property
    def ok(self) -> bool:
        return self.outcome == "passed"

    def in_words(self) -> str:
        """What happened, for a message."""
        says = f": {self.says}" if self.says else ""
        return {
            "passed": f"{self.passed} tests passed",
            "failed": f"{self.test} fails{says}",
            "broken": f"{TEST_FILE} does not load{says}",
            "none": f"all {self.skipped} tests are skipped or marked xfail; these do not count"
            if self.skipped
            else f"no test of {TEST_FILE} ran",
            "died": f"{self.test or TEST_FILE} ended the whole process",
            "hung": f"{self.test or TEST_FILE} did not end within {TEST_SECONDS:g} seconds",
        }[self.outcome]


@dataclass(frozen=True)
class Fault:
    """A planted fault in words, and what the learner's tests made of the service that has it."""

    name: str
    words: str
    run: TestRun

    @property
    def caught(self) -> bool:
        return not self.run.ok


class Planted:
    """The learner's tests beside main.py, and the services to run them on. What was run is kept."""

    def __init__(self, lesson: Lesson, folder: Path, time_scale: float = 1.0) -> None:
        self._lesson = lesson
        self._folder = folder
        self._time_scale = time_scale
        self._known: dict[str, TestRun] = {}
        self._services = {one.name: one for one in read_mistakes(lesson) if one.planted}

    @property
    def file(self) -> Path:
        return self._folder / TEST_FILE

    def own(self) -> TestRun:
        """Their tests on their own app."""
        return self._run(["own"])["own"]

    def right(self) -> dict[str, TestRun]:
        """Their tests on services that keep the contract."""
        return self._run(["solution", *(one.name for one in self._services.values() if one.kind == "answer")])

    def faults(self) -> list[Fault]:
        """Their tests on each faulty service. What they say of the right ones then replaces what they said before."""
        faulty = [one for one in self._services.values() if one.kind == "mistake"]
        names = [one.name for one in faulty]
        if any(name not in self._known for name in names):
            right = list(self.right())
            for name in right:
                del self._known[name]
            order = names + right
            random.SystemRandom().shuffle(order)
            order.sort(key=lambda name: name == right[0])  # one of them is the last of all
            self._run(order)
        return [Fault(one.name, one.planted, self._known[one.name]) for one in faulty]

    def _run(self, names: list[str]) -> dict[str, TestRun]:
        missing = [name for name in names if name not in self._known]
        if missing:
            with tempfile.TemporaryDirectory(prefix="lesson-") as scratch:
                named = {secrets.token_hex(4): name for name in missing}
                folders = {token: Path(scratch).resolve() / token for token in named}
                for token, name in named.items():
                    self._lay_out(name, folders[token])
                found = _run_tests(folders, TEST_SECONDS * self._time_scale)
                self._known |= {named[token]: run for token, run in found.items()}
        return {name: self._known[name] for name in names}

    def _lay_out(self, name: str, folder: Path) -> None:
        """Put a service into `folder`, with the learner's tests beside it."""
        source = self._folder if name == "own" else self._lesson.solution
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__", ".*", "*.ipynb"))
        if name in self._services:
            self._services[name].apply(folder)
        for file in OF_THE_LEARNER:
            (folder / file).unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copy(self._folder / file, folder / file)


_KEPT = pytest.StashKey[Planted]()


@pytest.fixture
def planted(request: pytest.FixtureRequest) -> Planted:
    """The learner's tests and the services to run them on; what one check ran, the next need not run again."""
    checks = request.config.stash[CHECKS]
    session = checks.session(request.node)
    if _KEPT not in request.session.stash:
        request.session.stash[_KEPT] = Planted(session.lesson, session.folder, checks.time_scale)
    return request.session.stash[_KEPT]


def _run_tests(folders: dict[str, Path], seconds: float) -> dict[str, TestRun]:
    """Run the tests in each folder; one that gives no answer has died."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "lessonkit.planted_runs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    found: dict[str, TestRun] = {}
    try:
        jobs = {name: str(folder) for name, folder in folders.items()}
        process.stdin.write(json.dumps({"folders": jobs, "seconds": seconds}) + "\n")
        process.stdin.flush()
        for line in process.stdout:
            told = json.loads(line)
            name = told.pop("name")
            found[name] = TestRun(**told)
    finally:
        process.stdin.close()  # the sign to end, with all runs under way
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        process.kill()
        process.wait()
        process.stdout.close()
    return {name: found.get(name, TestRun("died")) for name in folders}
