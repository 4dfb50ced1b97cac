"""The fixture `anew`: the learner's app once more, as another process with other variables would hold it."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from lessonkit.client import RecordingClient
from lessonkit.explanations import describe
from lessonkit.loader import LoadFailure, load, modules_of
from lessonkit.plugin import CHECKS, EXCHANGES, NOTES
from lessonkit.suite import expected

Variables = Mapping[str, str | None]
Start = Callable[..., RecordingClient]
UNCHANGED = "its usual variables"


@pytest.fixture
def anew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Gives a client on main.py, loaded again and started with these variables set: `anew(KEY="…")`.

    None takes a variable away. They are there while main.py is imported, so it does not matter when the
    learner's code looks; with `at_import={…}` those are, and the others only from then on. Called twice, it
    gives two apps that share no module. Fails the check, with words of its own, when the app does not load or start.
    """
    session = request.config.stash[CHECKS].session(request.node)
    if session.target is None:
        raise RuntimeError("the target did not load")
    target, notes = session.target, request.node.stash.setdefault(NOTES, [])
    with modules_of(session.folder), _logging_kept(), ExitStack() as stack:

        def start(at_import: Variables | None = None, **variables: str | None) -> RecordingClient:
            importing = _put(variables if at_import is None else at_import, monkeypatch) or UNCHANGED
            try:
                app = load(target).app
            except LoadFailure as failure:
                raise AssertionError(
                    expected(
                        f"main.py to be imported with {importing}",
                        came_back=failure.problem.message,
                        next_step="Read the environment when the app starts, and not while main.py is imported.",
                    )
                ) from None
            starting = _put(variables, monkeypatch) or importing
            notes.append(f"for this check the app was started with {starting}")
            client = RecordingClient(app, lambda error: describe(error, session.folder), session.printed.take)
            client.exchanges = request.node.stash.setdefault(EXCHANGES, client.exchanges)
            try:
                stack.enter_context(client)
            except Exception as error:
                raise AssertionError(
                    expected(
                        f"the app to start with {starting}",
                        came_back=f"The app does not start: {describe(error, session.folder)}.",
                        next_step="Mend what runs before the first request.",
                    )
                ) from None
            return client

        yield start


def _put(variables: Variables, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set environment variables for the length of a check; returns them in words."""
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    said = (f"no {name}" if value is None else f"{name}={value}" for name, value in variables.items())
    return " and ".join(said)


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
