"""`python main.py` as a real process: started, watched, sent signals, and gone when its block ends.

A keeper stands between this process and the program. The program leads a session of its own; the keeper
holds its exit status, and kills everything in that session when its own standard input closes. That happens
when the run is over, and also when this process is killed: no server stays behind.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from lessonkit.processes import table

START_SECONDS = 120.0  # for a server's first answer: each worker imports everything anew
PATIENCE_SECONDS = 40.0  # for anything that has to happen some time; what decides is that it happens
ANSWER_SECONDS = 5.0
TICK_SECONDS = 0.02
TOLD_CHARACTERS = 400
KEEPER = Path(__file__).with_name("keeper.py")
SYSTEMS = hasattr(os, "killpg") and hasattr(os, "waitid")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@dataclass(frozen=True)
class Reply:
    """A server's answer. `data` is its JSON value, None where it holds none."""

    status: int
    text: str

    @property
    def data(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class Program:
    """`python main.py` under way. `close()` ends it and everything that it started.

    `variables` are set in its environment, where None takes one away. It runs in the folder of `main`, or in
    `folder`. Raises OSError where the system cannot do this (Windows).
    """

    def __init__(
        self, main: Path, variables: Mapping[str, str | None] | None = None, folder: Path | None = None
    ) -> None:
        if not SYSTEMS:
            raise OSError("processes and their signals are those of Linux and macOS; on Windows use WSL")
        self._scratch = tempfile.TemporaryDirectory(prefix="lesson-")
        self._out, self._err = (Path(self._scratch.name, name) for name in ("out", "err"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        ours = {"HOST": "127.0.0.1", "PORT": str(self.port), "PYTHONUNBUFFERED": "1"}
        changed = ours | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": None} | dict(variables or {})
        environment = {name: value for name, value in os.environ.items() if name not in changed}
        environment |= {name: value for name, value in changed.items() if value is not None}
        keeping = [sys.executable, "-I", "-S", str(KEEPER), str(self._out), str(self._err)]
        self._keeper = subprocess.Popen(
            [*keeping, sys.executable, str(main)],
            cwd=folder or main.parent,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        self.pid = int(self._keeper.stdout.readline())
        self.status: int | None = None
        self._answers: bool | None = None
        self._watch = threading.Thread(target=self._wait_for_status, daemon=True)
        self._watch.start()

    def close(self) -> None:
        """End the program and all its workers; nothing happens when it has been closed."""
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            with suppress(OSError):
                self._keeper.stdin.close()
            self._keeper.wait()
            self._watch.join()
            if self._keeper.stdout is not None:
                self._keeper.stdout.close()
            self._scratch.cleanup()

    # -- what it does ---------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        return self.status is not None

    @property
    def printed(self) -> str:
        """What it has written to standard output so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def complained(self) -> str:
        """What it has written to standard error so far, where uvicorn's log goes too."""
        return self._err.read_text(encoding="utf-8", errors="replace")

    @property
    def told(self) -> str:
        """The end of all that it has written, in one line."""
        text = " ".join(f"{self.printed}\n{self.complained}".split())
        return text if len(text) <= TOLD_CHARACTERS else f"… {text[-TOLD_CHARACTERS:]}"

    @property
    def listens_on(self) -> str | None:
        """The address that uvicorn's log names; None while it names none."""
        found = re.search(
            r"running on (?:\x1b\[[0-9;]*m)?http://([^\s\x1b]+)", self.complained + self.printed
        )
        return found[1] if found else None

    def leads(self, pid: int) -> bool:
        """Whether a process is this program, or one that it started."""
        return table.leads(self.pid, pid)

    @property
    def companions(self) -> int | None:
        """How many processes it has started that still run; None where the system does not list them."""
        return table.companions(self.pid)

    def open_to(self, host: str) -> bool:
        """Whether the server's port can be reached under another address of this machine."""
        try:
            socket.create_connection((host, self.port), 1.0).close()
        except OSError:
            return False
        return True

    # -- what is done to it ----------------------------------------------------------------------

    def get(self, path: str, seconds: float = ANSWER_SECONDS) -> Reply | None:
        """Send a GET on a connection of its own; None when no answer came."""
        return self._request("GET", path, None, seconds)

    def post(self, path: str, body: Any, seconds: float = PATIENCE_SECONDS) -> Reply | None:
        """Send a POST with a JSON body on a connection of its own; None when no answer came."""
        return self._request("POST", path, body, seconds)

    def _request(self, method: str, path: str, body: Any, seconds: float) -> Reply | None:
        try:
            with httpx2.Client(base_url=self.url, timeout=seconds, trust_env=False) as client:
                reply = client.request(method, path, json=body)
        except httpx2.HTTPError:
            return None
        return Reply(reply.status_code, reply.text)

    def signal(self, number: int) -> None:
        """Send a signal to the program itself, as a system does that stops a service."""
        if not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait_until(self, ready: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait until `ready()`; False when it is not after `seconds`."""
        until = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > until:
                return False
            time.sleep(TICK_SECONDS)
        return True

    def wait_for_end(self, seconds: float = PATIENCE_SECONDS) -> int | None:
        """Wait for the program's end; its exit status, or None when it still runs."""
        self.wait_until(lambda: self.ended, seconds)
        return self.status

    def wait_for_answers(self, path: str = "/health") -> bool:
        """Wait until the server answers `path`.

        False when it ends before, says that it listens elsewhere, or has nothing left to do. What was found
        the first time counts from then on.
        """
        if self._answers is None:
            idle = table.Idle(self.pid)

            def settled() -> bool:
                elsewhere = self.listens_on is not None and not self.listens_on.endswith(f":{self.port}")
                self._answers = self.get(path) is not None
                return self._answers or self.ended or elsewhere or idle.for_long()

            self.wait_until(settled, START_SECONDS)
        return bool(self._answers)

    @contextmanager
    def idle_connection(self, path: str = "/health") -> Iterator[Callable[[], bool]]:
        """Keep a connection open that has been answered once; the function tells whether the server closed it.

        A server closes such connections as soon as it begins to shut down.
        """
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS) as one:
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            one.recv(65_536)
            one.setblocking(False)

            def closed() -> bool:
                try:
                    return not one.recv(65_536)
                except BlockingIOError:
                    return False
                except OSError:
                    return True

            yield closed

    def _wait_for_status(self) -> None:
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline()
        self.status = int(line) if line.strip() else -signal.SIGKILL


@contextmanager
def serving(code: str, **variables: str | None) -> Iterator[Program]:
    """Run the text of a main.py as `python main.py` for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="lesson-") as folder, ExitStack() as stack:
        main = Path(folder, "main.py")
        main.write_text(code, encoding="utf-8")
        program = Program(main, variables)
        stack.callback(program.close)
        yield program
