"""The fixture `another`: the learner's app once more, as another worker process would hold it.

`another(NAME="value")` loads main.py anew with these environment variables and gives a client on it. Each
has modules of its own, so nothing is shared that only lives in a process's memory.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from lessonkit.client import RecordingClient
from lessonkit.explanations import describe
from lessonkit.loader import LoadFailure, load, modules_of
from lessonkit.plugin import CHECKS
from lessonkit.suite import expected

Another = Callable[..., RecordingClient]


@pytest.fixture
def another(
    request: pytest.FixtureRequest, client: RecordingClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Another]:
    """Gives a client on a further instance of the app; all clients keep one list of exchanges."""
    session = request.config.stash[CHECKS].session(request.node)
    target = session.target
    if target is None:
        raise RuntimeError("the target did not load")
    with ExitStack() as stack:
        stack.enter_context(modules_of(session.folder))

        def begin(**variables: str) -> RecordingClient:
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            set_to = ", ".join(f"{name}={value}" for name, value in variables.items())
            try:
                app = load(target).app
            except LoadFailure as failure:
                raise AssertionError(_does_not_start(set_to, failure.problem.message)) from None
            one = RecordingClient(app, lambda error: describe(error, session.folder), session.printed.take)
            one.exchanges = client.exchanges
            try:
                one.__enter__()
            except Exception as error:
                says = f"The app does not start: {describe(error, session.folder)}."
                raise AssertionError(_does_not_start(set_to, says)) from None
            stack.callback(one.__exit__, None, None, None)
            return one

        yield begin


def _does_not_start(set_to: str, says: str) -> str:
    return expected(
        f"the app to start with {set_to}",
        came_back=says,
        next_step="Read these variables from the environment as the starter does, and nothing else at import.",
    )
