"""Notices when a file of a lesson is saved."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from watchfiles import Change, awatch, watch

SETTLE_MILLISECONDS = 50
LONGEST_MILLISECONDS = 200


def saves(folder: Path) -> Iterator[None]:
    """One item a save of a lesson's file in `folder`, for ever.

    `watchfiles` polls by itself where the file system sends no events (WSL), or when
    WATCHFILES_FORCE_POLLING is set.
    """
    for _ in watch(folder, **_options(), raise_interrupt=False):
        yield


async def async_saves(folder: Path) -> AsyncIterator[None]:
    """As `saves`, without holding the event loop."""
    async for _ in awatch(folder, **_options()):
        yield


def _options() -> dict[str, Any]:
    return {"watch_filter": _of_a_lesson, "debounce": LONGEST_MILLISECONDS, "step": SETTLE_MILLISECONDS}


def _of_a_lesson(_: Change, path: str) -> bool:
    """Programs and data count; what editors keep beside them (`.~main.py`) does not."""
    name = Path(path).name
    return name.endswith((".py", ".json", ".toml")) and not name.startswith(".")
