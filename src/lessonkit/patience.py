"""How long to wait for something that may never come: until this process has nothing left to do.

A wait by the clock alone gives up too early on a busy machine, where a right answer only needs longer.
So time counts only while nothing changes, this process computes nothing, and it is woken on time.
"""

import time
from typing import Final

TICK_SECONDS: Final = 0.02
LIMIT_SECONDS: Final = 8.0  # below the time limit of a check, so that the check itself can speak
BUSY_SHARE: Final = 0.25
LATE_TICKS: Final = 3


class Patience:
    """Looks at the process every now and then, about `TICK_SECONDS` apart: `over(seen)` at each look.

    `ticks` is how many quiet ticks in a row it takes; whatever happens, it is over after `LIMIT_SECONDS`.
    """

    def __init__(self, ticks: float) -> None:
        self._seconds = ticks * TICK_SECONDS
        self._began = self._last = time.perf_counter()
        self._computed = time.process_time()
        self._seen: object = None
        self._quiet = 0.0

    def over(self, seen: object = None) -> bool:
        """Whether it has been quiet for long enough; a `seen` that differs from the last one is news."""
        now, computed = time.perf_counter(), time.process_time()
        passed, worked = now - self._last, computed - self._computed
        if seen != self._seen:
            self._quiet = 0.0
        elif worked < BUSY_SHARE * passed and passed < LATE_TICKS * TICK_SECONDS:
            self._quiet += passed
        self._last, self._computed, self._seen = now, computed, seen
        return self._quiet >= self._seconds or now - self._began >= LIMIT_SECONDS
