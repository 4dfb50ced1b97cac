"""The fixture `optimized`: the learner's app once more, in a process that Python runs with `-O`.

Under `-O` Python leaves out every `assert` and every `if __debug__:`. The process starts when a check
first asks, and answers for the whole suite.
"""

import json as jsonlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, Queue
from typing import Any, NoReturn

import httpx2
import pytest

from lessonkit.client import RecordingClient
from lessonkit.plugin import CHECKS
from lessonkit.report import Exchange
from lessonkit.suite import expected

ANSWER_SECONDS = 7.0  # for all that one check asks; less than a check may take


class SecondProcess:
    """A `python -O` that has loaded one main.py and answers requests. Starts at the first `ask`."""

    def __init__(self, main: Path) -> None:
        self._main = main
        self._process: subprocess.Popen[str] | None = None
        self._lines: Queue[str] = Queue()

    def ask(self, method: str, path: str, json: Any, due: float) -> dict[str, Any]:
        """Send one request; returns `{"headers", "exchange"}`.

        `due` is when the answer must be there, on the monotonic clock, in seconds. Raises
        AssertionError, as a check does, when the file does not load under `-O` or nothing answers.
        """
        if self._process is None:
            self._start(due)
        return self._exchange({"method": method, "path": path, "json": json}, due)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with suppress(OSError):
            process.communicate()

    def _start(self, due: float) -> None:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        process = subprocess.Popen(
            [sys.executable, "-O", "-P", "-m", "lessonkit.answering", str(self._main)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept,
            encoding="ascii",
        )
        self._process, self._lines = process, Queue()
        threading.Thread(target=_listen, args=(process, self._lines), daemon=True).start()
        problem = self._read(due)["problem"]
        if problem is not None:
            self._fail(
                f"main.py to load under `python -O` as it does without; there it is: {problem}",
                "Move what has to happen out of `assert` and `if __debug__:`; `python -O` leaves both out.",
            )

    def _exchange(self, question: dict[str, Any], due: float) -> dict[str, Any]:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):  # it has ended: reading finds that out
                self._process.stdin.write(jsonlib.dumps(question) + "\n")
                self._process.stdin.flush()
        return self._read(due)

    def _read(self, due: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=max(0.0, due - time.monotonic()))
        except Empty:
            self._fail(
                "an answer under `python -O`, in time; none came",
                "Look for a loop whose end is decided in an `assert`; `python -O` leaves it out.",
            )
        if not line:
            self._fail(
                "an answer under `python -O`; the process ended instead, without an exception",
                "Run the file that way yourself: uv run python -O -m fastapi run main.py",
            )
        answer: dict[str, Any] = jsonlib.loads(line)
        return answer

    def _fail(self, what: str, next_step: str) -> NoReturn:
        self.close()
        raise AssertionError(expected(what, next_step=next_step))


class Optimized:
    """Sends requests to the learner's app under `python -O`, with the methods of the `client`."""

    def __init__(self, process: SecondProcess, exchanges: list[Exchange], seconds: float) -> None:
        self._process = process
        self._exchanges = exchanges
        self._due = time.monotonic() + seconds

    def get(self, path: str) -> httpx2.Response:
        """What GET answers under `-O`."""
        return self.request("GET", path)

    def post(self, path: str, *, json: Any = None) -> httpx2.Response:
        """What POST with this JSON body answers under `-O`."""
        return self.request("POST", path, json=json)

    def request(self, method: str, path: str, *, json: Any = None) -> httpx2.Response:
        """What a request answers under `-O`; a 500 where the app gave no answer at all."""
        try:
            answer = self._process.ask(method, path, json, self._due)
        except AssertionError:
            body = "" if json is None else jsonlib.dumps(json)
            self._exchanges.append(Exchange(method, path, body, "(it fails before it is sent)", None, ""))
            raise
        exchange = Exchange(**answer["exchange"])
        started_as = "python -O -m fastapi run main.py"
        self._exchanges.append(replace(exchange, curl=f"{exchange.curl}  # to a server under: {started_as}"))
        status = 500 if exchange.status is None else exchange.status
        kind = answer["headers"].get("content-type", "application/json")
        return httpx2.Response(status, headers={"content-type": kind}, content=exchange.answer.encode())


@pytest.fixture(scope="module")
def optimized_process(request: pytest.FixtureRequest) -> Iterator[SecondProcess]:
    """The second process of a suite, not yet started."""
    session = request.config.stash[CHECKS].session(request.node)
    process = SecondProcess(session.folder / "main.py" if session.target is None else session.target.main)
    yield process
    process.close()


@pytest.fixture
def optimized(
    request: pytest.FixtureRequest, client: RecordingClient, optimized_process: SecondProcess
) -> Optimized:
    """Sends requests to the learner's app under `python -O`; what it sends is told in the report."""
    seconds = ANSWER_SECONDS * request.config.stash[CHECKS].time_scale
    return Optimized(optimized_process, client.exchanges, seconds)


def _listen(process: subprocess.Popen[str], lines: "Queue[str]") -> None:
    """Hand over what the process writes, line by line, and an empty text when it has ended."""
    with suppress(OSError, ValueError):
        for line in process.stdout or ():
            lines.put(line)
    lines.put("")
