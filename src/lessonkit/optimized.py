"""The fixture `optimized`: the learner's app once more, compiled as `python -O` compiles it.

Under `-O` Python leaves out every `assert` and every `if __debug__:`. That is the work of the compiler, and
the compiler can be asked for it file by file (`compile(…, optimize=1)`), so no second process is needed.
Only `sys.flags.optimize` still tells the two apart.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from lessonkit.client import RecordingClient
from lessonkit.explanations import describe
from lessonkit.loader import LoadFailure, load, modules_of
from lessonkit.plugin import CHECKS
from lessonkit.suite import expected

STARTED_AS = "python -O -m fastapi run main.py"


class OptimizedClient(RecordingClient):
    """A RecordingClient whose curl lines say how the server has to be started."""

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            return super().send(request, **options)
        finally:
            last = self.exchanges[-1]
            self.exchanges[-1] = replace(last, curl=f"{last.curl}  # to a server under: {STARTED_AS}")


@pytest.fixture
def optimized(request: pytest.FixtureRequest, client: RecordingClient) -> Iterator[OptimizedClient]:
    """A second client, on the learner's app as it is under `python -O`; both keep one list of exchanges."""
    session = request.config.stash[CHECKS].session(request.node)
    if session.target is None:
        raise RuntimeError("the target did not load")
    with modules_of(session.folder):
        try:
            app = load(session.target, optimization=1).app
        except LoadFailure as failure:
            raise AssertionError(_does_not_load(failure.problem.message)) from None
        second = OptimizedClient(app, lambda error: describe(error, session.folder), session.printed.take)
        second.exchanges = client.exchanges
        try:
            second.__enter__()
        except Exception as error:
            says = f"The app does not start: {describe(error, session.folder)}."
            raise AssertionError(_does_not_load(says)) from None
        try:
            yield second
        finally:
            second.__exit__(None, None, None)


def _does_not_load(says: str) -> str:
    return expected(
        "main.py to load under `python -O` as it does without",
        came_back=says,
        next_step="Move what has to happen out of `assert` and `if __debug__:`; `python -O` leaves both out.",
    )
