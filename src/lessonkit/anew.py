"""The fixture `anew`: the learner's app loaded and started once more, in another environment.

What is read while main.py is imported is read again, so it does not matter when the learner's code looks.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from lessonkit.client import RecordingClient
from lessonkit.explanations import describe
from lessonkit.loader import LoadFailure, load, modules_of
from lessonkit.plugin import CHECKS, EXCHANGES, NOTES
from lessonkit.suite import expected

Start = Callable[..., RecordingClient]


@pytest.fixture
def anew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Gives a client on the app as it starts with these variables set: `anew(KEY="…")`; None takes one away.

    Fails the check, with words of its own, when the app does not load or start like that.
    """
    session = request.config.stash[CHECKS].session(request.node)
    if session.target is None:
        raise RuntimeError("the target did not load")
    target = session.target
    with ExitStack() as stack:

        def start(**variables: str | None) -> RecordingClient:
            for name, value in variables.items():
                if value is None:
                    monkeypatch.delenv(name, raising=False)
                else:
                    monkeypatch.setenv(name, value)
            shown = ", ".join(_in_words(name, value) for name, value in variables.items())
            notes = request.node.stash.setdefault(NOTES, [])
            notes.append(f"for this check the app was started with {shown}")
            stack.enter_context(modules_of(session.folder))
            stack.enter_context(_logging_kept())
            try:
                app = load(target).app
            except LoadFailure as failure:
                raise AssertionError(_does_not_start(failure.problem.message, shown)) from None
            client = RecordingClient(app, lambda error: describe(error, session.folder), session.printed.take)
            client.exchanges = request.node.stash.setdefault(EXCHANGES, client.exchanges)
            try:
                stack.enter_context(client)
            except Exception as error:
                says = f"The app does not start: {describe(error, session.folder)}."
                raise AssertionError(_does_not_start(says, shown)) from None
            return client

        yield start


@contextmanager
def _logging_kept() -> Iterator[None]:
    """Afterwards logging is set up as before: loggers belong to the process, and a second main.py adds to the first."""
    everyone = [logging.root, *logging.root.manager.loggerDict.values()]
    before = [
        (one, one.handlers[:], one.filters[:], one.level, one.propagate, one.disabled)
        for one in everyone
        if isinstance(one, logging.Logger)
    ]
    try:
        yield
    finally:
        for one, handlers, filters, level, propagate, disabled in before:
            one.handlers[:], one.filters[:], one.propagate = handlers, filters, propagate
            one.disabled = disabled
            one.setLevel(level)


def _in_words(name: str, value: str | None) -> str:
    return f"no {name}" if value is None else f"{name}={value}"


def _does_not_start(says: str, variables: str) -> str:
    return expected(
        f"the app to start with {variables}",
        came_back=says,
        next_step="Let nothing at import or at start-up fail for it; tell of it when a request comes.",
    )
