"""A real Redis for one check: the fixture `redis_url`. Where there is no `redis-server`, such checks are left out.

A stand-in would not prove that workers share anything. In CI nothing is left out: without the program the
check fails there.
"""

import ast
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from lessonkit.course import Lesson
from lessonkit.processes import free_port

PROGRAM = "redis-server"
FIXTURE = "redis_url"
START_SECONDS = 10.0
TRIES = 3

# The server ends when this process does, however that ends: then the standard input of this program closes.
_KEEPER = """
import subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    sys.stdin.read()
finally:
    server.kill()
    server.wait()
"""


def is_installed() -> bool:
    """Whether this machine has a Redis to start."""
    return shutil.which(PROGRAM) is not None


def left_out(lesson: Lesson) -> set[str]:
    """The names of a lesson's checks that are left out on this machine, because they need Redis."""
    if is_installed() or os.environ.get("CI") or not lesson.suite.is_file():
        return set()
    tree = ast.parse(lesson.suite.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {one.name for one in functions if FIXTURE in [argument.arg for argument in one.args.args]}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a Redis where there is none; the report then has fewer checks."""
    if is_installed() or os.environ.get("CI"):
        return
    without = [item for item in items if FIXTURE in getattr(item, "fixturenames", ())]
    if without:
        items[:] = [item for item in items if item not in without]
        config.hook.pytest_deselected(items=without)


@contextmanager
def running() -> Iterator[str]:
    """Start an empty Redis on a free loopback port; gives its URL, and ends it with the block.

    Raises RuntimeError when there is no such program or it does not start.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise RuntimeError(f"{PROGRAM} is not installed, and CI leaves no check out")
    with tempfile.TemporaryDirectory(prefix="lesson-") as folder:
        for _ in range(TRIES):
            port = free_port()
            options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""]
            keeper = subprocess.Popen(
                [sys.executable, "-S", "-E", "-c", _KEEPER, program, *options, "--appendonly", "no"],
                stdin=subprocess.PIPE,
            )
            try:
                if _answers(port):
                    yield f"redis://127.0.0.1:{port}/0"
                    return
            finally:
                with suppress(OSError):
                    keeper.stdin.close()  # type: ignore[union-attr]
                keeper.wait()
    raise RuntimeError(f"{PROGRAM} did not start")


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The URL of a Redis that this check has for itself."""
    with running() as url:
        yield url


def _answers(port: int) -> bool:
    """Whether a Redis, and nothing else, comes to answer on this port."""
    until = time.perf_counter() + START_SECONDS
    while time.perf_counter() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        time.sleep(0.005)
    return False
