"""The fixture `logs`: what the learner's code wrote into the log, whatever its logging is set up like.

A handler of ours would miss loggers that do not propagate, and what a filter or a formatter of the learner's
adds. So records are kept where every logger hands them to its handlers, after these have seen them.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from lessonkit.explanations import describe
from lessonkit.plugin import CHECKS


@dataclass(frozen=True)
class Written:
    """One record: its logger, its level, all texts that it holds, and the exception that came with it, in words."""

    logger: str
    level: int
    texts: tuple[str, ...]
    exception: str | None

    def holds(self, text: str) -> bool:
        """Whether `text` stands in its message, its arguments, its extra attributes, or in what a handler made of it."""
        return any(text in one for one in self.texts)


class Logs:
    """The records of one check, oldest first."""

    def __init__(self) -> None:
        self.records: list[Written] = []

    def with_text(self, text: str, level: int = logging.WARNING) -> list[Written]:
        """The records of `level` or above that hold `text`."""
        return [one for one in self.records if one.level >= level and one.holds(text)]

    @property
    def exception(self) -> str | None:
        """The last exception that was logged, in words; None when there was none."""
        told = [one.exception for one in self.records if one.exception]
        return told[-1] if told else None


@pytest.fixture
def logs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Logs:
    """The log records of this check, from the moment on that the fixture is asked for."""
    folder = request.config.stash[CHECKS].session(request.node).folder
    kept = Logs()
    hand_over: Callable[[logging.Logger, logging.LogRecord], None] = logging.Logger.callHandlers

    def and_keep(logger: logging.Logger, record: logging.LogRecord) -> None:
        try:
            hand_over(logger, record)
        finally:
            error = record.exc_info[1] if record.exc_info else None
            told = describe(error, folder) if error is not None else None
            kept.records.append(Written(record.name, record.levelno, tuple(_texts(logger, record)), told))

    monkeypatch.setattr(logging.Logger, "callHandlers", and_keep)
    return kept


def _texts(logger: logging.Logger, record: logging.LogRecord) -> Iterator[str]:
    for value in vars(record).values():
        yield _safely(lambda value=value: str(value))  # type: ignore[misc]
    yield _safely(record.getMessage)
    for handler in _handlers(logger):
        yield _safely(lambda handler=handler: handler.format(record))  # type: ignore[misc]


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    place: logging.Logger | None = logger
    while place is not None:
        yield from place.handlers
        place = place.parent if place.propagate else None


def _safely(text: Callable[[], str]) -> str:
    try:
        return text()
    except Exception:  # logging itself never lets a record that cannot be written end a request
        return ""
