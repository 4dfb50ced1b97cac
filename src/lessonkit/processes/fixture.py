"""The fixture `programs`: the target's main.py, started as `python main.py`."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lessonkit.plugin import CHECKS
from lessonkit.processes.program import Program


class Programs:
    """The programs that a suite starts from the target's main.py; all end with the suite.

    Starting takes seconds, so `begin()` lets the server of the suite start while other checks run.
    """

    def __init__(self, main: Path, stack: ExitStack) -> None:
        self._main = main
        self._stack = stack
        self._server: Program | None = None

    def start(self, **variables: str | None) -> Program:
        """Start `python main.py` once more, in an empty folder, so that no .env file is near."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lesson-")))
        program = Program(self._main, variables, folder)
        self._stack.callback(program.close)
        return program

    def begin(self) -> Program:
        """Start the server of the suite, and do not wait for it."""
        if self._server is None:
            self._server = self.start()
        return self._server

    def server(self) -> Program:
        """The one server of the suite, after it has answered, ended, or said that it listens elsewhere.

        Once it was told to stop, another one is started.
        """
        server = self.begin()
        server.wait_for_answers()
        return server

    def forget(self) -> None:
        """The server was told to stop: whoever asks next gets another one."""
        self._server = None


@pytest.fixture(scope="module")
def programs(request: pytest.FixtureRequest) -> Iterator[Programs]:
    """Starts the target's `python main.py` as a real process: `programs.server()`, `programs.start(NAME="…")`."""
    session = request.config.stash[CHECKS].session(request.node)
    if session.target is None:
        raise RuntimeError("the target did not load")
    with ExitStack() as stack:
        yield Programs(session.target.main, stack)


@pytest.fixture(scope="module", autouse=True)
def _begin_early(request: pytest.FixtureRequest) -> None:
    """Where a suite has checks about processes, its server starts while the other checks run."""
    wanted = (item for item in request.session.items if item.path == request.path)
    if not any(item.get_closest_marker("process") for item in wanted):
        return
    if request.config.stash[CHECKS].session(request.node).problem is None:
        request.getfixturevalue("programs").begin()
