"""The process that runs a learner's test file in many folders: imports everything once, then forks for each.

Reads one line of JSON ({"folders": {name: folder}, "seconds": limit}) and writes one line for each folder, as
soon as it is known. It has a single thread, so forking is safe; where there is no fork, each run is a program
of its own. It ends, with all its runs, when its input ends.
"""

import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lessonkit.planted_tests import run_here

AT_ONCE = 2
MOST_TOLD_BYTES = 100_000
WARM_UP = {
    "main.py": """
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel


class Body(BaseModel):
    text: str


app = FastAPI()


@app.post("/")
def post(body: Body) -> Body:
    return body
""",
    "test_main.py": """
from fastapi.testclient import TestClient
from main import app


def test_warm():
    with TestClient(app) as client:
        assert client.post("/", json={"text": "a"}).json() == {"text": "a"}


def test_red():
    assert {"a": 1} == {"a": 2}
""",
}


def main() -> None:
    """Read the order, run everything, tell what came of it."""
    order = json.loads(sys.stdin.readline())
    if not hasattr(os, "fork"):
        for name, folder in order["folders"].items():
            _write(1, {"name": name} | _run_in_a_program(folder, order["seconds"]))
        return
    results = os.dup(1)  # what pytest and the tests print goes nowhere
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    _warm_up()
    waiting = list(order["folders"].items())
    running: list[_Run] = []
    try:
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                name, folder = waiting.pop(0)
                running.append(_Run.start(name, folder, order["seconds"], results))
            pipes = [run.pipe for run in running]
            left = max(0.0, min(run.due for run in running) - time.monotonic())
            ready, _, _ = select.select([*pipes, 0], [], [], left)
            if 0 in ready and not os.read(0, 1):
                return
            for run in running[:]:
                if (run.pipe in ready and run.read()) or time.monotonic() > run.due:
                    running.remove(run)
                    _write(results, {"name": run.name} | run.end())
    finally:
        for run in running:
            run.end()


@dataclass
class _Run:
    """A forked child at work. What it writes to its pipe: the test it is at, a line each, then its result."""

    name: str
    pid: int
    pipe: int
    due: float
    told: bytes = b""

    @classmethod
    def start(cls, name: str, folder: str, seconds: float, results: int) -> "_Run":
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()  # what the tests leave running ends with them, and keeps nobody waiting
            os.close(out)
            os.close(results)
            _child(folder, into)
        os.close(into)
        return cls(name, pid, out, time.monotonic() + seconds)

    def read(self) -> bool:
        """Take what was told; True when there is nothing more to come."""
        data = os.read(self.pipe, 65536)
        self.told += data
        return not data or len(self.told) > MOST_TOLD_BYTES or b'"outcome"' in self.told

    def end(self) -> dict[str, Any]:
        """Kill the child and what it started, and return its result, or what it was at when it had none."""
        for kill in (os.killpg, os.kill):  # in its first moment it leads no group yet
            with suppress(OSError):
                kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pipe)
        return _result(self.told, hung=time.monotonic() > self.due)


def _result(told: bytes, *, hung: bool) -> dict[str, Any]:
    at = ""
    for line in told.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if "outcome" in value:
            found: dict[str, Any] = value
            return found
        at = value.get("at", at)
    return {"outcome": "hung" if hung else "died", "test": at}


def _child(folder: str, into: int) -> None:
    """In the forked process: run the tests, tell, and end without going back."""
    end = os._exit
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        from lessonkit import guard

        guard.limit_memory()
        result = run_here(folder, lambda test: _write(into, {"at": test}))
        _write(into, result)
    finally:
        end(0)


def _write(into: int, value: dict[str, Any]) -> None:
    os.write(into, json.dumps(value).encode() + b"\n")


def _run_in_a_program(folder: str, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-I", "-m", "lessonkit.planted_runs", folder]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        told, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        told, _ = process.communicate()
        return _result(told, hung=True)
    return _result(told, hung=False)


def _one(folder: str) -> None:
    """The program for one folder: what it tells goes to its standard output, and nothing else does."""
    into = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    _write(into, run_here(folder, lambda test: _write(into, {"at": test})))
    os._exit(0)


def _warm_up() -> None:
    """Import what every run needs and run a test once, so that the forked ones have all that; then freeze it."""
    import lessonkit.model

    lessonkit.model.run_model("warm")
    with tempfile.TemporaryDirectory(prefix="lesson-") as scratch:
        for name, text in WARM_UP.items():
            with open(os.path.join(scratch, name), "w", encoding="utf-8") as file:
                file.write(text)
        here, path = os.getcwd(), sys.path[:]
        run_here(scratch, lambda test: None)
        os.chdir(here)
    sys.path[:] = path
    sys.path_importer_cache.clear()
    for name in ("main", "test_main"):
        sys.modules.pop(name, None)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _one(sys.argv[1])
    else:
        main()
