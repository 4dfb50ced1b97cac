"""What the system's table of processes says of a program and of those that it started.

Linux lists its processes under `/proc`; other systems say nothing here.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

PROCESSES = Path("/proc")
IDLE_SECONDS = 12.0  # a start in which no process computes anything for so long leads nowhere


def leads(leader: int, pid: int) -> bool:
    """Whether a process is of the group that `leader` leads."""
    try:
        return os.getpgid(pid) == leader
    except (OSError, OverflowError):
        return False


def companions(leader: int) -> int | None:
    """How many processes run in its group besides itself and Python's own resource tracker."""
    if not listed():
        return None
    count = 0
    for folder in _folders(leader):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            count += folder.name != str(leader) and bool(command) and b"resource_tracker" not in command
    return count


def computed(leader: int) -> int | None:
    """The time that its group has computed so far, in the system's ticks."""
    if not listed():
        return None
    ticks = 0
    for folder in _folders(leader):
        with suppress(OSError, ValueError, IndexError):
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks


def listed() -> bool:
    """Whether this system has such a table."""
    return (PROCESSES / "self" / "stat").is_file()


class Idle:
    """Tells whether a group has computed nothing for a long time; never, where the system does not say."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._seen = computed(leader)
        self._since = self._looked = time.monotonic()

    def for_long(self) -> bool:
        """Look, at most once a second."""
        now = time.monotonic()
        if now - self._looked < 1:
            return False
        self._looked, seen = now, computed(self._leader)
        if seen is None or seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since >= IDLE_SECONDS


def _folders(leader: int) -> list[Path]:
    return [folder for folder in PROCESSES.glob("[0-9]*") if leads(leader, int(folder.name))]
