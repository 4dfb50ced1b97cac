"""What keeps a run honest whatever the learner's code does: exits, floods, memory, patched tools, time."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from io import TextIOBase
from types import ModuleType
from typing import Any, NoReturn, TextIO

MOST_PRINTED_CHARACTERS = 1_000_000
KEPT_CHARACTERS = 4_000
MEMORY_BYTES = 1_500 * 1024 * 1024
INNER = ("_pytest", "pluggy")
REBOUND_BY_PYTEST = {"_pytest.assertion.util"}
SEALED = ("pytest", "_pytest", "pluggy", "starlette.testclient", "fastapi.testclient", "httpx2", "lessonkit")


class ProcessExit(SystemExit):
    """`os._exit()` was called; raised in its place, so that nothing ends without a verdict."""


class PrintedTooMuch(RuntimeError):
    """The learner's code printed more than `MOST_PRINTED_CHARACTERS`."""


def _raise_exit(status: int) -> NoReturn:
    raise ProcessExit(status)


real_exit = os._exit


def hold_exits() -> None:
    """From now on `os._exit()` raises ProcessExit; `real_exit` still ends the process."""
    os._exit = _raise_exit


def release_exits() -> None:
    """Take `hold_exits` back."""
    os._exit = real_exit


def limit_memory() -> Callable[[], None]:
    """Let this process take `MEMORY_BYTES` more than it has; beyond that Python raises MemoryError.

    Returns what takes the limit back. Does nothing where the system has no such limit (Windows) or
    does not tell a process's size (macOS).
    """
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES, before[1]))
    except (ImportError, OSError, ValueError):
        return lambda: None
    return lambda: resource.setrlimit(resource.RLIMIT_AS, before)


class Printed(TextIOBase):
    """Stands in for `sys.stdout`: passes text on, keeps the last of it, and stops a flood."""

    def __init__(self, beyond: TextIO) -> None:
        self.beyond = beyond
        self._kept = ""
        self._count = 0

    @property
    def flooded(self) -> bool:
        return self._count > MOST_PRINTED_CHARACTERS

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._count += len(text)
        if self.flooded:
            raise PrintedTooMuch(
                f"more than {MOST_PRINTED_CHARACTERS:,} characters were printed; take the print out"
            )
        self._kept = (self._kept + text)[-KEPT_CHARACTERS:]
        self.beyond.write(text)
        return len(text)

    def flush(self) -> None:
        self.beyond.flush()

    def take(self) -> str:
        """What was printed since the last call (its last `KEPT_CHARACTERS`)."""
        text, self._kept = self._kept, ""
        return text


class Seal:
    """What the verdict rests on (pytest, TestClient, the kit), remembered before learner code runs."""

    def __init__(self) -> None:
        self._modules = {
            name: module
            for name, module in sys.modules.items()
            if isinstance(module, ModuleType) and name.startswith(SEALED) and name not in REBOUND_BY_PYTEST
        }
        parts = [
            (vars(owner), name, value, label)
            for owner, label in _owners(self._modules.values())
            for name, value in vars(owner).items()
            if callable(value)
        ]
        self._near = [part for part in parts if not part[3].startswith(INNER)]
        self._inner = [part for part in parts if part[3].startswith(INNER)]

    def broken(self, *, whole: bool = True) -> str | None:
        """The name of a thing that is no longer what it was, or None.

        Without `whole`, pytest's own insides are left for the end of the run.
        """
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                return name
        for now, name, value, label in (*self._near, *(self._inner if whole else ())):
            if now.get(name) is not value:
                return f"{label}.{name}"
        return None


def _owners(modules: Iterable[ModuleType]) -> list[tuple[Any, str]]:
    """The modules and the classes that they define, each with its dotted name."""
    found: list[tuple[Any, str]] = []
    for module in modules:
        found.append((module, module.__name__))
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == module.__name__:
                found.append((value, f"{module.__name__}.{name}"))
    return found


class Watchdog:
    """One thread that calls `expired(what)` when a step takes longer than it was given.

    Give each step its time with `arm`, `disarm` when it is done, and `close` in the end.
    """

    def __init__(self, expired: Callable[[str], None]) -> None:
        self._expired = expired
        self._due: float | None = None
        self._wakes: float | None = None  # when the thread looks next, if nobody wakes it
        self._what = ""
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="lesson-watchdog", daemon=True)
        self._thread.start()

    def arm(self, what: str, seconds: float) -> None:
        with self._changed:
            self._what, self._due = what, time.monotonic() + seconds
            if self._wakes is None or self._due < self._wakes:  # else it wakes soon enough by itself
                self._changed.notify()

    def disarm(self) -> None:
        with self._changed:
            self._due = None

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                left = None if self._due is None else self._due - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._wakes = self._due
                self._changed.wait(left)
            else:
                return
        self._expired(self._what)
