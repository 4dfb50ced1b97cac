"""The fixture `clock`: a check moves time by itself, whatever structure the learner's code has.

Real time would make a rate limit's verdict depend on the speed of the machine. So time stands still in a
check, begins a day later than in the check before (whatever a module kept from then has run out), and
passes when the check says so. It is the time of `time.time()`, `datetime.now()` and everything built on
them, the `limits` library too; for the learner's own files also that of `time.monotonic()`, which stays
as it is for event loops and the kit.
"""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lessonkit.loader import lies_in
from lessonkit.plugin import CHECKS, NOTES

FIRST_DAY = datetime(2040, 1, 1, 12, 0, 20, tzinfo=UTC).timestamp()  # 20 seconds into a minute
DAY_SECONDS = 86_400.0
_DAYS = pytest.StashKey[int]()

_real_monotonic = time.monotonic
_real_monotonic_ns = time.monotonic_ns


class Clock:
    """The time of one check. `move(seconds)` lets time pass; nobody waits for it."""

    def __init__(self, traveller: Any, notes: list[str], passed: float) -> None:
        self._traveller = traveller
        self._notes = notes
        self._began = _real_monotonic() + passed
        self.moved = 0.0

    @property
    def monotonic(self) -> float:
        """What `time.monotonic()` is for the learner's code now."""
        return self._began + self.moved

    def move(self, seconds: float) -> None:
        """Let `seconds` pass; a failure's message says so."""
        self.moved += seconds
        self._traveller.shift(float(seconds))
        self._notes.append(f"the check let {seconds:g} seconds pass before the last request")


@pytest.fixture
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Time stands still for this check, on a day of its own; `clock.move(60)` lets a minute pass.

    Ask for it before `client`, so that the app starts on that day as well.
    """
    import time_machine  # other lessons need not wait for it

    day = request.session.stash.setdefault(_DAYS, 0) + 1
    request.session.stash[_DAYS] = day
    passed = day * DAY_SECONDS
    folder = request.config.stash[CHECKS].session(request.node).folder
    notes = request.node.stash.setdefault(NOTES, [])
    with time_machine.travel(FIRST_DAY + passed, tick=False) as traveller:
        moved = Clock(traveller, notes, passed)
        for name, real, told in (
            ("monotonic", _real_monotonic, lambda: moved.monotonic),
            ("monotonic_ns", _real_monotonic_ns, lambda: int(moved.monotonic * 1e9)),
        ):
            shown = _for_files_in(str(folder), real, told)
            monkeypatch.setattr(time, name, shown)
            for module in list(sys.modules.values()):
                if lies_in(module, folder):
                    for alias in [alias for alias, value in vars(module).items() if value is real]:
                        monkeypatch.setattr(module, alias, shown)
        yield moved


def _for_files_in(folder: str, real: Callable[[], Any], told: Callable[[], Any]) -> Callable[[], Any]:
    """A clock that tells files below `folder` what `told` says, and everybody else what `real` says."""

    def now() -> Any:
        return told() if sys._getframe(1).f_code.co_filename.startswith(folder) else real()

    return now
