"""The fixture `upstream` of a suite."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lessonkit.upstream import Upstream


@pytest.fixture
def upstream() -> "Iterator[Upstream]":
    """The stand-in that the learner's app talks to, with nothing on record and nothing scripted.

    Ask for it before `client`, so that what happens at start-up is on record too.
    """
    from lessonkit.upstream import shared  # imports a server, which other lessons need not wait for

    running = shared()
    running.reset()
    yield running
    running.reset()
