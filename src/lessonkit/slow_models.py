"""Two models that take their time, as one behind a network or on a busy machine does.

`slow_model` is awaited and leaves the event loop free while it works. `blocking_model` holds the thread
that called it. Both answer with what the tiny model says, after `SECONDS`, and keep a record of every
call: how many are in flight now, and how many were at most.

A check takes the clock out: it replaces a record with one that is `instant`, where a call lasts until it
is released, and looks at the counts.
"""

import asyncio
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType

from lessonkit.model import run_model
from lessonkit.patience import TICK_SECONDS, Patience

SECONDS = 0.3
WORDS = 12
PATIENCE_TICKS = 15
LOOP_TURNS = 20


class ModelError(Exception):
    """The model has no answer to this text."""


async def slow_model(text: str) -> str:
    """Continue `text`, as `run_model` does, after `SECONDS` in which the event loop is free.

    Raises ModelError where a check told it to, and TypeError for a `text` that is not a string.
    """
    with records["slow_model"].call(text) as call:
        await call.wait()
        return call.answer()


def blocking_model(text: str) -> str:
    """Continue `text`, as `run_model` does, after `SECONDS` in which the calling thread can do nothing else.

    Raises ModelError where a check told it to, and TypeError for a `text` that is not a string.
    """
    with records["blocking_model"].call(text) as call:
        call.block()
        return call.answer()


@dataclass(eq=False)
class Call:
    """One call of a slow model: `began` and `ended` in seconds of `time.perf_counter`, None while it runs.

    `outcome` is running, answered, failed or cancelled; `result` is what it returned. `loop` is the event
    loop that ran in the calling thread, None where there was none.
    """

    record: "Record" = field(repr=False)
    text: object
    loop: asyncio.AbstractEventLoop | None = field(repr=False)
    began: float
    ended: float | None = None
    outcome: str = "running"
    result: str | None = None
    place: "Future[None] | None" = field(default=None, repr=False)

    def __enter__(self) -> "Call":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        outcome = "answered" if error is None else "failed" if isinstance(error, Exception) else "cancelled"
        self.record.end(self, outcome)

    async def wait(self) -> None:
        """Let the time of this call pass while the event loop does other things."""
        if not self.record.instant:
            await asyncio.sleep(SECONDS)
            return
        if self.place is None:
            for _ in range(LOOP_TURNS):  # others that are about to call do so meanwhile
                await asyncio.sleep(0)
            return
        held = asyncio.wrap_future(self.place)
        patience = Patience(self.record.patience_ticks)
        try:
            while not (await asyncio.wait([held], timeout=TICK_SECONDS))[0]:
                self.record.look(patience)
        finally:
            held.cancel()

    def block(self) -> None:
        """Let the time of this call pass while its thread does nothing else."""
        if not self.record.instant:
            time.sleep(SECONDS)
            return
        patience = Patience(self.record.patience_ticks)
        while self.place is not None:
            try:
                return self.place.result(timeout=TICK_SECONDS)
            except TimeoutError:
                self.record.look(patience)

    def answer(self) -> str:
        """What the model returns for this call; raises what it has to raise."""
        if not isinstance(self.text, str):
            raise TypeError(f"the model takes one text, as a str, and got {self.text!r}")
        if self.text in self.record.failing:
            raise ModelError(f"the model has no answer to {self.text!r}")
        scripted = self.record.answers.get(self.text)
        self.result = scripted if scripted is not None else run_model(self.text, WORDS, 0.0)
        return self.result


class Record:
    """The calls of one model, counted; safe to use from several threads.

    In an `instant` record no call takes time of its own: it lasts for as long as it is held. `answers`
    maps texts to results, `failing` holds the texts that raise ModelError.
    """

    def __init__(self, *, instant: bool = False) -> None:
        self.instant = instant
        self.calls: list[Call] = []
        self.answers: dict[str, str] = {}
        self.failing: set[str] = set()
        self.peak = 0
        self.gave_up = False
        self.patience_ticks = PATIENCE_TICKS
        self._lock = threading.Lock()
        self._in_flight = 0
        self._holding = self._last_first = False
        self._until: int | None = None
        self._held: list[Future[None]] = []
        self._leaving: list[Future[None]] = []

    @property
    def in_flight(self) -> int:
        """How many calls have begun and not ended."""
        return self._in_flight

    def call(self, text: object) -> Call:
        """Count a call that begins now; as a context manager it counts the end too."""
        call = Call(self, text, _running_loop(), time.perf_counter())
        with self._lock:
            self.calls.append(call)
            self._in_flight += 1
            self.peak = max(self.peak, self._in_flight)
            if self._holding and not (isinstance(text, str) and text in self.failing):
                call.place = Future()
                self._held.append(call.place)
            enough = self._until is not None and self._in_flight >= self._until
        if enough:
            self.release()
        return call

    def end(self, call: Call, outcome: str) -> None:
        """Count the end of a call; where the last goes first, the one before it goes on."""
        call.outcome, call.ended = outcome, time.perf_counter()
        with self._lock:
            self._in_flight -= 1
        if call.place is not None:
            self._let_one_go()

    def hold(
        self,
        until: int | None = None,
        *,
        last_first: bool = False,
        patience_ticks: int = PATIENCE_TICKS,
    ) -> None:
        """From now on calls wait: for `release()`, or until `until` of them are in flight.

        Then they go on together, or with `last_first` one by one, the last to come before all others.
        One that fails is never held. When nobody joins for `patience_ticks` ticks in a row, the hold
        ends by itself and `gave_up` says so: code that calls one after the other gets to its end.
        """
        with self._lock:
            self._holding, self._until, self.gave_up = True, until, False
            self._last_first = last_first
            self.patience_ticks = patience_ticks

    def release(self) -> None:
        """Let those who wait go on, and hold nobody from now on."""
        with self._lock:
            self._leaving += self._held
            self._held, self._holding, self._until = [], False, None
        while self._let_one_go() and not self._last_first:
            pass

    def give_up(self) -> None:
        """End a hold that nobody ends."""
        self.gave_up = self.gave_up or self._holding
        self.release()

    def forget(self) -> None:
        """Count calls and the peak from now on."""
        with self._lock:
            self.calls.clear()
            self.peak = self._in_flight

    def wait_for(self, count: int) -> int:
        """Wait until `count` calls are in flight, or nobody has joined for a while; returns how many are."""
        patience = Patience(PATIENCE_TICKS)
        while self.in_flight < count and not patience.over(len(self.calls)):
            time.sleep(TICK_SECONDS)
        return self.in_flight

    def look(self, patience: Patience) -> None:
        """What a held call does at each tick: end the hold when nobody has joined for too long."""
        if patience.over(len(self.calls)):
            self.give_up()

    def _let_one_go(self) -> bool:
        while True:
            with self._lock:
                place = self._leaving.pop() if self._leaving else None
            if place is None:
                return False
            if place.set_running_or_notify_cancel():
                place.set_result(None)
                return True


records = {"slow_model": Record(), "blocking_model": Record()}


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
