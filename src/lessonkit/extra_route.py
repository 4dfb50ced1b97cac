"""The fixture `extra_route`: an endpoint that a check adds to the learner's app, to see what stands around all endpoints."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lessonkit.plugin import CHECKS

PATH = "/added-by-a-check"


@pytest.fixture
def extra_route(request: pytest.FixtureRequest) -> Iterator[Callable[[Callable[..., Any]], str]]:
    """Adds a function as a GET endpoint and gives its path: `extra_route(function)`; taken out after the check."""
    app = request.config.stash[CHECKS].session(request.node).app
    before = app.router.routes[:]

    def add(endpoint: Callable[..., Any]) -> str:
        app.add_api_route(PATH, endpoint, methods=["GET"], include_in_schema=False)
        app.router.routes.insert(0, app.router.routes.pop())  # before whatever catches every path
        return PATH

    yield add
    app.router.routes[:] = before
