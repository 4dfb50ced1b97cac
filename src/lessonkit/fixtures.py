"""The fixtures of every suite: `client`, `main`, `given`, `model`, `deprecations`, and `optimized` from its own module.

Through these alone a check reaches learner code.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

from lessonkit import model
from lessonkit.client import RecordingClient
from lessonkit.deprecations import Deprecation, heard
from lessonkit.explanations import describe
from lessonkit.plugin import CHECKS, EXCHANGES, NOTES, Stopped
from lessonkit.report import Problem
from lessonkit.session import Session


@pytest.fixture
def main(request: pytest.FixtureRequest) -> Any:
    """The learner's module, for what cannot be seen over HTTP."""
    return request.config.stash[CHECKS].session(request.node).loaded()


@pytest.fixture
def given(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Gives a module that lies beside the learner's main.py, as main.py sees it: `given("store")`."""
    request.config.stash[CHECKS].session(request.node).loaded()
    return import_module


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[RecordingClient]:
    """A TestClient on the learner's app, its lifespan running; an exception in an endpoint answers 500."""
    session = request.config.stash[CHECKS].session(request.node)
    recording = RecordingClient(
        session.app, lambda error: describe(error, session.folder), session.printed.take
    )
    request.node.stash[EXCHANGES] = recording.exchanges
    with _lifespan(recording, session):
        yield recording


@pytest.fixture
def deprecations(
    request: pytest.FixtureRequest, client: RecordingClient
) -> Iterator[Callable[[], list[Deprecation]]]:
    """Gives the deprecated things that were used at import and in this check so far: `deprecations()`."""
    session = request.config.stash[CHECKS].session(request.node)
    with heard(session.folder) as found:
        yield lambda: [*session.deprecations, *found()]


@contextmanager
def _lifespan(recording: RecordingClient, session: Session) -> Iterator[None]:
    try:
        recording.__enter__()
    except Exception as error:
        says = f"The app does not start: {describe(error, session.folder)}."
        raise Stopped(Problem("startup", says, "Mend what runs before the first request.")) from None
    try:
        yield
    finally:
        try:
            recording.__exit__(None, None, None)
        except Exception as error:
            says = f"The app fails when it shuts down: {describe(error, session.folder)}."
            step = "Mend what runs after the `yield` of the lifespan."
            raise Stopped(Problem("shutdown", says, step)) from None


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tells how the check prepared the ground, for the message of its failure; the last one counts: `note("…")`."""
    notes: list[str] = request.node.stash.setdefault(NOTES, [])
    return notes.append


class Model:
    """What reached the given model during one check."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._from = len(model.calls)

    @property
    def calls(self) -> list[model.Call]:
        """The calls since the check began, oldest first; those at start-up are not among them."""
        return model.calls[self._from :]

    def forget(self) -> None:
        """Count calls from now on."""
        self._from = len(model.calls)

    def answer_with(self, result: str) -> None:
        """Let the next call of the model return `result`; a failure's message says so."""
        self._notes.append(f"for this check run_model was told to answer {result!r}")
        model.scripted.append(result)


@pytest.fixture(name="model")
def model_fixture(request: pytest.FixtureRequest, client: RecordingClient) -> Iterator[Model]:
    """The calls that the given model receives; it depends on `client`, so start-up has passed."""
    yield Model(request.node.stash.setdefault(NOTES, []))
    model.scripted.clear()
