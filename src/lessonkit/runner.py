"""Every run of a suite, whoever asks for it, is `run(lesson, target)`: a process of its own, with a limit."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from lessonkit import child
from lessonkit.course import Lesson
from lessonkit.packages import packages_of
from lessonkit.report import CheckResult, Problem, Report, stuck

START_SECONDS = 60.0
SILENCE_SECONDS = 25.0

_starting = threading.Lock()
_preloaded: set[str] = set()


def run(
    lesson: Lesson, target: str = "work", *, warm: bool = True, time_scale: float = 1.0, select: str = ""
) -> Report:
    """Run a lesson's suite on a target ("work", "solution", a path, …) and return what it found.

    `warm` forks from a preloaded process, which pays from the second run on; without it (or where the
    system has no fork server) a new process is spawned. `time_scale` stretches or shrinks the limits;
    `select` is an expression of markers, as for `pytest -m`, and leaves the other checks out.
    Never raises for anything that the target does.
    """
    return Run(lesson, target, warm=warm, time_scale=time_scale, select=select).report()


class Run:
    """One run under way. `report()` waits for it; `kill()` ends it from another thread.

    One that `waits` gets everything ready and looks at the target only when `report()` is called.
    """

    def __init__(
        self,
        lesson: Lesson,
        target: str = "work",
        *,
        warm: bool = True,
        time_scale: float = 1.0,
        select: str = "",
        waits: bool = False,
    ) -> None:
        self.lesson = lesson
        self.target = target
        self.killed = False
        self._waits = waits
        self._limit = SILENCE_SECONDS * time_scale
        self._began = time.perf_counter()
        context = _context(warm, lesson)
        ours, theirs = context.Pipe(duplex=True)
        self._connection: Connection[Any, Any] = ours
        arguments = (theirs, str(lesson.suite), target, time_scale, select, waits)
        self._process = context.Process(target=child.main, args=arguments, daemon=True)
        with _starting, _as_a_bare_program():
            self._process.start()
        theirs.close()

    def kill(self) -> None:
        """End the run now; `report()` then returns what was known."""
        self.killed = True
        self._end()

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return bool(self._process.is_alive())

    def report(self, on_check: Callable[[CheckResult, int], None] | None = None) -> Report:
        """Wait for the run and return its report; tell `on_check` each verdict, and of how many, as it comes."""
        if self._waits:
            self._began = time.perf_counter()
            with suppress(OSError):
                self._connection.send("now")
        pending: list[CheckResult] = []
        verdicts: dict[str, CheckResult] = {}
        problem: Problem | None = None
        current, limit = "The run", START_SECONDS
        try:
            while True:
                if not self._connection.poll(limit):
                    problem = stuck(current)
                    break
                event, value = self._connection.recv()
                limit = self._limit
                if event == "collected":
                    pending = value
                elif event == "patience" and value is not None:
                    limit = value + self._limit
                elif event == "started":
                    current = next((f'"{one.title}"' for one in pending if one.id == value), current)
                elif event == "checked":
                    verdicts[value.id] = value
                    if on_check is not None:
                        on_check(value, len(pending))
                elif event == "problem":
                    problem = value
                elif event == "done":
                    problem = problem or _suite_problem(self.lesson, *value)
                    break
        except (EOFError, OSError):
            problem = problem or _died(current)
        finally:
            self._end()
        checks = tuple(verdicts.get(one.id) or _without_verdict(one, problem) for one in pending)
        return Report(self.lesson.name, self.target, time.perf_counter() - self._began, problem, checks)

    def _end(self) -> None:
        """Kill the process and what it started; it has nothing left to say."""
        pid = self._process.pid
        if pid is not None and hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()


def _context(warm: bool, lesson: Lesson) -> Any:
    if not warm or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lessonkit.preload"])
    preload([lesson])
    return context


def preload(lessons: Iterable[Lesson]) -> None:
    """Let the fork server hold, from its next start on, all packages that these lessons' solutions import.

    One that runs already without them is replaced; runs under way go on.
    """
    from multiprocessing import forkserver

    with _starting:
        wanted = {package for lesson in lessons for package in packages_of(lesson)} - _preloaded
        if wanted and _preloaded:
            forkserver._forkserver._stop()  # type: ignore[attr-defined]  # there is no public way
        _preloaded.update(wanted)


@contextmanager
def _as_a_bare_program() -> Iterator[None]:
    """While a process starts, hide what `multiprocessing` would hand down from this one.

    It runs the parent's `__main__` again in each child (here: a Jupyter kernel, pytest), and puts the
    parent's `sys.path` first, where a learner's `fastapi.py` may lie.
    """
    main, path = sys.modules["__main__"], sys.path[:]
    changed = {
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LESSONKIT_PRELOAD": " ".join(sorted(_preloaded)) or "fastapi",
    }
    before = {name: os.environ.get(name) for name in changed}
    sys.modules["__main__"] = ModuleType("__main__")
    sys.path[:] = [entry for entry in path if entry and os.path.abspath(entry) != os.getcwd()]
    os.environ.update(changed)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        sys.path[:] = path
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _suite_problem(lesson: Lesson, status: int, details: str) -> Problem | None:
    if status in (0, 1):
        return None
    return Problem(
        "suite",
        f"The suite of {lesson.name} could not be run (pytest ended with {status}); your code is not the reason.",
        f"Restore it with: git checkout {lesson.suite.relative_to(lesson.root).as_posix()}\n{details}",
        str(lesson.suite),
    )


def _died(current: str) -> Problem:
    return Problem(
        "died",
        f"{current} ended the whole process, without an exception.",
        "Look for code that ends or kills the process, or that takes very much memory.",
    )


def _without_verdict(check: CheckResult, problem: Problem | None) -> CheckResult:
    problem = problem or Problem("stopped", "The run was stopped.", "Run the checks again.")
    return CheckResult(
        check.id,
        check.title,
        check.operation,
        "failed",
        problem.check_message(),
        reason="problem",
        part=check.part,
    )
