"""The fixtures of suites about the upstream: `upstream`, `wait_for_calls`, `sdk_clients` and `shut_down`."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from lessonkit.client import RecordingClient
from lessonkit.explanations import describe
from lessonkit.patience import TICK_SECONDS, Patience
from lessonkit.plugin import CHECKS, NOTES, Stopped
from lessonkit.report import Problem
from lessonkit.upstream.steps import Answer, Drop, Failure, NotAMessage, Silence, Step, Text

if TYPE_CHECKING:
    from lessonkit.upstream import Upstream
    from lessonkit.upstream.clients import Clients

PATIENCE_TICKS = 20
IN_WORDS = {Drop: "a cut connection", Silence: "silence", NotAMessage: "status 200 and no message"}
RETRY_DELAY_SECONDS = (
    0.001  # the SDK waits half a second before it tries again; a check counts how often it does
)


@pytest.fixture
def upstream(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Upstream]":
    """The stand-in that the learner's app talks to, with nothing on record and nothing scripted.

    Ask for it before `client`, so that what happens at start-up is on record too.
    """
    from lessonkit.upstream.clients import watch  # imports a server and the SDK, for which
    from lessonkit.upstream.server import shared  # other lessons need not wait

    running = shared()
    running.reset()
    watch().begin()
    notes = request.node.stash.setdefault(NOTES, [])
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", RETRY_DELAY_SECONDS)
    for name in ("script", "always"):
        monkeypatch.setattr(running, name, _with_a_note(getattr(running, name), notes))
    yield running
    running.reset()


def _with_a_note(tell: Callable[..., None], notes: list[str]) -> Callable[..., None]:
    """`tell`, which tells the stand-in what to answer, and a note of it for whoever repeats the request."""

    def noted(*steps: Step) -> None:
        notes.append(f"for this check the upstream was told to answer with {_in_words(steps[0])}")
        tell(*steps)

    return noted


def _in_words(step: Step) -> str:
    if isinstance(step, Failure):
        return f"status {step.status}"
    if isinstance(step, Answer):
        blocks = [f"text {one.text!r}" if isinstance(one, Text) else "thinking" for one in step.blocks]
        return f"the blocks {', '.join(blocks)}" if blocks else "no block at all"
    return IN_WORDS.get(type(step), type(step).__name__)


@pytest.fixture
def wait_for_calls(upstream: "Upstream") -> Callable[[int], None]:
    """Waits until so many calls have arrived at the upstream, the earlier ones of this check included.

    Gives up when no more come for a while: `upstream.calls` and `upstream.peak` tell what came of it.
    """

    def wait(count: int) -> None:
        patience = Patience(PATIENCE_TICKS)
        while len(upstream.calls) < count and not patience.over(len(upstream.calls)):
            time.sleep(TICK_SECONDS)

    return wait


@pytest.fixture
def sdk_clients(upstream: "Upstream") -> "Clients":
    """The HTTP clients that the learner's SDK clients sent requests with in this check, start-up included."""
    from lessonkit.upstream.clients import watch

    return watch()


@pytest.fixture
def shut_down(request: pytest.FixtureRequest, client: RecordingClient) -> Callable[[], None]:
    """Ends the app as a server does when it is told to stop: `shut_down()`, after which nothing can be sent."""
    folder = request.config.stash[CHECKS].session(request.node).folder

    def end() -> None:
        try:
            client.__exit__(None, None, None)
        except Exception as error:
            says = f"The app does not shut down: {describe(error, folder)}."
            raise Stopped(Problem("shutdown", says, "Mend what runs after the last request.")) from None

    return end
