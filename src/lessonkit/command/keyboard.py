"""Single keys for the commands that stay: the arrows by their names, everything else as it was typed."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from prompt_toolkit.input import create_input
from prompt_toolkit.keys import Keys

ENDS = {Keys.ControlC, Keys.ControlD}


@contextmanager
def keyboard(events: "asyncio.Queue[str]") -> Iterator[None]:
    """While it lasts, each key goes into `events`, Ctrl-C and Ctrl-D as `q`; without a terminal there are none."""
    if not sys.stdin.isatty():
        yield
        return
    keys = create_input()

    def pressed() -> None:
        for one in keys.read_keys():
            name = one.key.value if isinstance(one.key, Keys) else one.data.lower()
            events.put_nowait("q" if one.key in ENDS else name)

    with keys.raw_mode(), keys.attach(pressed):
        yield
