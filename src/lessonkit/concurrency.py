"""The fixtures of suites about concurrency: `at_once`, `slow_model`, `blocking_model`, `event_loop`.

A verdict never comes from a clock here. A given model is told to hold its calls until a number of them is
in flight, and the check looks at the counts.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import httpx2
import pytest

from lessonkit import slow_models
from lessonkit.at_once import Burst
from lessonkit.client import RecordingClient
from lessonkit.report import Exchange
from lessonkit.slow_models import Call, Record
from lessonkit.suite import task_of

USERS = {"at_once", "slow_model", "blocking_model"}
LOOP_BOUND = {asyncio.Lock, asyncio.Semaphore, asyncio.BoundedSemaphore}
_first_seen: WeakKeyDictionary[asyncio.Lock | asyncio.Semaphore, dict[str, Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class OneOfSeveral(Exchange):
    """An exchange that was sent with `others` more of its kind, in the way that `how` says."""

    others: int = 0
    how: str = "all at once"

    def sent(self) -> str:
        return f"{super().sent()} and {self.others} more like it, {self.how}"


class RecordedBurst(Burst):
    """A burst whose exchanges the client keeps: the most telling one comes last, and says that it was one of several."""

    client: RecordingClient

    def replies(self) -> list[httpx2.Response]:
        found = super().replies()
        exchanges = self.client.exchanges
        mine = [one for one in exchanges if (one.method, one.path) == (self.method, self.path)]
        mine.sort(key=lambda one: (one.crash is not None, one.status or 0, one.body))
        rest = [one for one in exchanges if one not in mine]
        others = len(mine) - 1
        if others:
            curl = f"for i in $(seq {len(mine)}); do {mine[-1].curl} & done; wait"
            mine[-1] = OneOfSeveral(**{**asdict(mine[-1]), "curl": curl, "others": others})
        exchanges[:] = mine + rest
        return found


Send = Callable[[str, Sequence[Any]], RecordedBurst]


@pytest.fixture
def at_once(client: RecordingClient) -> Iterator[Send]:
    """Sends one POST for each body, all at once: `at_once("/predict", [body, body])`, then `.replies()`."""
    with ExitStack() as sent:

        def send(path: str, bodies: Sequence[Any]) -> RecordedBurst:
            burst = RecordedBurst(client, path, bodies)
            sent.callback(burst.finish)
            return burst

        yield send
        for record in slow_models.records.values():
            record.release()


@pytest.fixture(autouse=True)
def _instant_models(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each check has records of its own, and no clock in the given models, from the app's start-up on."""
    if task_of(getattr(request, "function", None)) is None:
        yield
        return
    before = dict(slow_models.records)
    slow_models.records.update({name: Record(instant=True) for name in before})
    if USERS.intersection(request.fixturenames):
        _start_anew()
    yield
    for record in slow_models.records.values():
        record.release()
    slow_models.records.update(before)


@pytest.fixture
def slow_model(client: RecordingClient) -> Iterator[Record]:
    """The record of the given `slow_model`; it can hold calls, script answers and failures."""
    yield from _record("slow_model", client)


@pytest.fixture
def blocking_model(client: RecordingClient) -> Iterator[Record]:
    """The record of the given `blocking_model`, which can do the same."""
    yield from _record("blocking_model", client)


class EventLoop:
    """The event loop that serves the learner's app, watched for what does not belong on it."""

    def __init__(self, client: RecordingClient) -> None:
        if client.portal is None:
            raise RuntimeError("the client is not entered")
        self._portal = client.portal
        self._loop = self._portal.call(_this_loop)
        self.sleeps = 0

    def serves(self, call: Call) -> bool:
        """Whether a model's call was made while this loop ran in the calling thread."""
        return call.loop is self._loop

    def watch(self) -> None:
        """Count in `sleeps`, from now on, how often `time.sleep` is called in the loop's thread."""
        self._portal.call(sys.setprofile, self._see)

    def leave(self) -> None:
        self._portal.call(sys.setprofile, None)

    def _see(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call" and argument is time.sleep:
            self.sleeps += 1


@pytest.fixture
def event_loop(client: RecordingClient) -> Iterator[EventLoop]:
    """The event loop of the learner's app: which calls were made on it, and whether it was put to sleep."""
    loop = EventLoop(client)
    loop.watch()
    yield loop
    loop.leave()


def _record(name: str, client: RecordingClient) -> Iterator[Record]:
    if client.portal is not None:
        client.portal.call(_be_quiet)
    record = slow_models.records[name]
    record.forget()
    yield record
    record.release()


async def _be_quiet() -> None:
    """A task whose failure nobody reads is told by the counts, and not by a log in the middle of something else."""
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)


async def _this_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def _start_anew() -> None:
    """Give every lock and semaphore that is still around the state that it was made with.

    A server has one event loop for life, so a semaphore of the module is right there. Each check has a loop
    of its own, and begins as a server that has just started.
    """
    for value in gc.get_objects():
        if type(value) in LOOP_BOUND:
            state = _first_seen.setdefault(value, dict(vars(value)))
            vars(value).update(state)
            vars(value).pop("_loop", None)
            vars(value)["_waiters"] = None
