"""A record of what the learner's code compares in constant time.

No behaviour shows how long a comparison took, and a stopwatch is no judge. So calls of
`hmac.compare_digest` and `secrets.compare_digest` are kept, however they were imported: recording begins
before the learner's code does, with `on_record` in a suite's ENVIRONMENT.
"""

import hmac
import secrets
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import pytest


class Comparisons:
    """The two sides of every comparison since `forget()`, as bytes, in the order they were made."""

    def __init__(self) -> None:
        self.sides: list[bytes] = []

    def forget(self) -> None:
        self.sides = []


def on_record(value: str) -> Callable[[], str]:
    """A value for a suite's ENVIRONMENT: `value` itself, and from then on comparisons are on record."""

    def told() -> str:
        watch()
        return value

    return told


@cache
def watch() -> Comparisons:
    """The one record of this process; it begins with the first call."""
    record = Comparisons()
    real = hmac.compare_digest

    @wraps(real)
    def compare_digest(a: Any, b: Any, /) -> bool:
        same = real(a, b)  # refuses what cannot be compared
        for side in (a, b):
            record.sides.append(side.encode() if isinstance(side, str) else bytes(side))
        return same

    hmac.compare_digest = secrets.compare_digest = compare_digest
    return record


@pytest.fixture
def comparisons() -> Comparisons:
    """What was compared in constant time in this check so far."""
    record = watch()
    record.forget()
    return record
