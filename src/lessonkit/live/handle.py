"""Asks for a server of a lesson's app, finds one that runs already, and ends it."""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lessonkit.course import Lesson, LessonError
from lessonkit.packages import packages_of

USUAL_PORT = 8000
LOAD_SECONDS = 20.0
STOP_SECONDS = 5.0
SDK = "anthropic"
KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_PROCESS = {"PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

_running: dict[Path, "LiveServer"] = {}


@dataclass(frozen=True)
class Order:
    """What a server is asked for. `socket` is the number of one that listens already, `trouble` what to answer until the
    next save; `needs` are the packages that no file beside `main` may hide,
    `seen` the state of the files that the trouble is about."""

    main: str
    lock: str
    upstream: bool = False
    port: int | None = None
    socket: int | None = None
    trouble: str = ""
    load_seconds: float = LOAD_SECONDS
    needs: tuple[str, ...] = ()
    seen: str = ""


@dataclass(frozen=True)
class LiveServer:
    """A server of one lesson. `process` is None where somebody else started it; `log` holds what the app prints.

    `note` says which service the app talks to, where it talks to one.
    """

    url: str
    log: Path | None
    process: "subprocess.Popen[str] | None" = None
    variables: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def ended(self) -> bool:
        """Whether it is over, as far as can be told from here."""
        return self.process is not None and self.process.poll() is not None

    def stop(self) -> None:
        """End the server, unless somebody else started it."""
        if self.process is None:
            return
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(
    lesson: Lesson,
    folder: Path,
    *,
    port: int | None = None,
    log: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> LiveServer:
    """Serve `main.py` of `folder` on `port` of this machine, following its saves.

    0 takes any free port, None takes `USUAL_PORT` where it is free, so that the curl lines of reports fit.
    A folder has one server at most: asked again, the one that runs is returned, whoever started it. It ends
    with this process. What the app prints goes to the file `log`, or to this process's own error output.
    `variables` are added to its environment; asked for others than it was started with, it begins anew.
    Where the lesson needs the model's service and no key is set, the app talks to the stand-in.
    Raises LessonError when the server cannot start.
    """
    known = _running.get(folder)
    if known is not None and not known.ended:
        if known.variables == dict(variables or {}):
            return known
        known.stop()
    main = folder / "main.py"
    if not main.is_file():
        raise LessonError(f"{main} is not there. Run: uv run lesson start {lesson.number}")
    lock = folder.parent / ".servers" / f"{folder.name}.lock"
    lock.parent.mkdir(exist_ok=True)
    order = Order(
        str(main),
        str(lock),
        _uses_sdk(lesson) and not _real_service(),
        port,
        load_seconds=LOAD_SECONDS,
        needs=tuple(packages_of(lesson)),
    )
    where = open(log, "w", encoding="utf-8") if log is not None else None  # noqa: SIM115
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "lessonkit.live.server", json.dumps(asdict(order))],
            cwd=folder,
            env={**os.environ, **(variables or {}), **_PROCESS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=where,
            text=True,
            start_new_session=True,  # or interrupting a notebook's kernel would end it
        )
    finally:
        if where is not None:
            where.close()
    assert process.stdout is not None
    with process.stdout:
        told = json.loads(process.stdout.readline() or "{}")
    if "running" in told:
        process.wait()
        return LiveServer(told["running"], None)
    if "url" not in told:
        process.kill()
        says = told.get("error") or "The server did not start; what it printed says why."
        raise LessonError(f"{says} Try: uv run lesson doctor")
    _running[folder] = server = LiveServer(told["url"], log, process, dict(variables or {}), _note(lesson))
    atexit.register(server.stop)
    return server


def stop_all() -> None:
    """End every server that this process asked for."""
    for server in _running.values():
        server.stop()
    _running.clear()


def _uses_sdk(lesson: Lesson) -> bool:
    return any(name.partition(".")[0] == SDK for name in packages_of(lesson))


def _real_service() -> bool:
    """Whether the environment leads to a real service of the model.

    An address on this machine is that of another stand-in, which may end before the server does.
    """
    address = os.environ.get("ANTHROPIC_BASE_URL", "")
    if address.startswith("http://127.0.0.1:"):
        return False
    return bool(address) or any(os.environ.get(name) for name in KEYS)


def _note(lesson: Lesson) -> str:
    if not _uses_sdk(lesson):
        return ""
    if _real_service():
        return "A key or an address is set, so it talks to the real service: each call may cost money."
    return "The model behind the network is the course's stand-in."
