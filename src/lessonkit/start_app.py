"""The fixture `start_app`: main.py imported in one environment, and its app started in another."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from lessonkit.client import RecordingClient
from lessonkit.explanations import describe
from lessonkit.loader import LoadFailure, load, modules_of
from lessonkit.plugin import CHECKS, EXCHANGES, NOTES
from lessonkit.suite import expected

Variables = Mapping[str, str | None]
StartApp = Callable[..., RecordingClient]


@pytest.fixture
def start_app(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartApp]:
    """Gives a client on the app, imported anew: `start_app(at_import={…}, at_start={…})`.

    Both are environment variables, where None takes one away: the first are there while main.py is
    imported, the second from then on. Fails the check in words of its own when one of the two does not work.
    """
    session = request.config.stash[CHECKS].session(request.node)
    if session.target is None:
        raise RuntimeError("the target did not load")
    target = session.target
    notes = request.node.stash.setdefault(NOTES, [])

    def put(variables: Variables) -> str:
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return " and ".join(
            f"no {name}" if value is None else f"{name}={value}" for name, value in variables.items()
        )

    with modules_of(session.folder), ExitStack() as stack:

        def start(at_import: Variables | None = None, at_start: Variables | None = None) -> RecordingClient:
            importing = put(at_import or {})
            try:
                app = load(target).app
            except LoadFailure as failure:
                raise AssertionError(
                    expected(
                        f"main.py to be imported with {importing or 'the usual variables'}",
                        came_back=failure.problem.message,
                        next_step="Read the environment when the app starts, and not while main.py is imported.",
                    )
                ) from None
            starting = put(at_start or {})
            shown = starting or importing
            if shown:
                notes.append(f"for this check the app was started with {shown}")
            client = RecordingClient(app, lambda error: describe(error, session.folder), session.printed.take)
            request.node.stash[EXCHANGES] = client.exchanges
            try:
                stack.enter_context(client)
            except Exception as error:
                raise AssertionError(
                    expected(
                        f"the app to start with {shown or 'the usual variables'}",
                        came_back=f"The app does not start: {describe(error, session.folder)}.",
                        next_step="Mend what runs before the first request.",
                    )
                ) from None
            return client

        yield start
