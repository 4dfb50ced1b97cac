"""An app behind a real uvicorn, in a process of its own, for as long as a block lasts."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPARE_FILES = 100
CONNECTING_AT_ONCE = 100
ANSWERS_SECONDS = 30.0
STOP_SECONDS = 5.0

# The server ends itself when its standard input closes, which also happens when this process is killed.
_PROGRAM = """
import os, sys, threading
import uvicorn

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
uvicorn.run("main:app", host="127.0.0.1", port=0, access_log=False, timeout_graceful_shutdown=1)
"""


@dataclass(frozen=True)
class RealServer:
    """A running server: the process and the port it listens on."""

    pid: int
    port: int

    async def get_many(self, path: str, count: int) -> list[Any]:
        """Send `count` GET requests, each on a connection of its own, and return their JSON answers.

        Every connection stays open until its answer has come. Raises TimeoutError when not all of them
        have an answer after `ANSWERS_SECONDS`.
        """
        connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        async with asyncio.timeout(ANSWERS_SECONDS):
            return await asyncio.gather(*(self._get(path, connecting) for _ in range(count)))

    async def _get(self, path: str, connecting: asyncio.Semaphore) -> Any:
        async with connecting:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise RuntimeError(f"GET {path} was answered with {head[:60]!r}")
            return json.loads(body)
        finally:
            writer.close()


@contextmanager
def served(code: str, **variables: str) -> Iterator[RealServer]:
    """Serve the app of `code`, the text of a main.py, on a free port; the server ends with the block.

    `variables` are environment variables of the server. Raises RuntimeError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="lesson-") as folder:
        Path(folder, "main.py").write_text(code, encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield RealServer(process.pid, _port(process))
        finally:
            _end(process)


def open_files(wanted: int) -> int:
    """How many of `wanted` connections this process and the servers it starts may hold open.

    Raises this process's own limit as far as the system lets it.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        with suppress(ValueError, OSError):
            most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - SPARE_FILES)


def _port(process: "subprocess.Popen[str]") -> int:
    """Read the server's log until it tells the port it was given."""
    told = []
    for line in process.stderr or ():
        told.append(line)
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", line)
        if found:
            return int(found[1])
    raise RuntimeError("the server did not start:\n" + "".join(told))


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
