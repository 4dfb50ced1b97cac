"""Follows the saves of a served lesson, also where the learner's code never gives the event loop back."""

import asyncio
import json
import os
import socket
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

from lessonkit.live.handle import Order
from lessonkit.live.swap import Swap
from lessonkit.saves import saves

BEGIN_SECONDS = 3.0  # an event loop that does not get to a save for this long is held by the learner's code
LOOK_SECONDS = 0.05


class Follower:
    """Loads the app now and at each save, in the event loop; begins a new process where that is held up.

    `start()` once the server answers. `order` is what the process was asked for, `listening` its socket.
    """

    def __init__(self, order: Order, swap: Swap, listening: socket.socket) -> None:
        self._order = order
        self._swap = swap
        self._listening = listening
        self._folder = Path(order.main).parent
        self._saved = threading.Event()
        if not order.trouble or order.seen != files(self._folder):
            self._saved.set()

    def start(self) -> None:
        """Follow from now on, in threads of its own."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, daemon=True).start()
        threading.Thread(target=self._follow, args=(loop,), daemon=True).start()

    def _watch(self) -> None:
        for _ in saves(self._folder):
            self._saved.set()

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._saved.wait():
            self._saved.clear()
            self._load(loop)

    def _load(self, loop: asyncio.AbstractEventLoop) -> None:
        """Load; a newer save meanwhile, or too long a wait, begins a new process."""
        begun, seen = threading.Event(), files(self._folder)

        async def load() -> None:
            begun.set()
            await self._swap.load()

        loading = asyncio.run_coroutine_threadsafe(load(), loop)
        if not begun.wait(BEGIN_SECONDS):
            self._again("", seen)
        until = time.monotonic() + self._order.load_seconds
        while not loading.done():
            if self._saved.is_set() and files(self._folder) != seen:
                self._again("", seen)
            if time.monotonic() >= until:
                limit = f"{self._order.load_seconds:.0f} seconds"
                trouble = f"main.py did not finish loading within {limit}.\nLook for a loop that never ends, then save."
                self._again(trouble, seen)
            time.sleep(LOOK_SECONDS)

    def _again(self, trouble: str, seen: str) -> None:
        """Become a new process that listens on the same socket: the only way out of code that never returns."""
        print("main.py does not give the server back; the server begins anew.", file=sys.stderr, flush=True)
        order = replace(self._order, socket=self._listening.fileno(), trouble=trouble, seen=seen)
        os.set_inheritable(self._listening.fileno(), True)
        os.execv(sys.executable, [sys.executable, "-m", "lessonkit.live.server", json.dumps(asdict(order))])


def files(folder: Path) -> str:
    """The state of a lesson's programs: differs after each save."""
    states = (
        (path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.glob("*.py"))
    )
    return repr(list(states))
