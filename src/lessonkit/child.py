"""The process that runs one suite once: pytest with the kit's plugin, every event sent to the runner."""

import io
import os
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

DETAILS_CHARACTERS = 3_000
UNUSED_PLUGINS = (  # parts of pytest that a suite never needs; each costs every run a millisecond or so
    "cacheprovider",
    "debugging",
    "doctest",
    "faulthandler",
    "junitxml",
    "legacypath",
    "logging",
    "nose",
    "pastebin",
    "recwarn",
    "setuponly",
    "setupplan",
    "stepwise",
    "subtests",
    "threadexception",
    "unittest",
    "unraisableexception",
)


def main(
    connection: "Connection[Any, Any]",
    suite: str,
    target: str,
    time_scale: float,
    select: str = "",
    waits: bool = False,
) -> None:
    """Run `suite` on `target` and send ("collected" | "started" | "checked" | "problem" | "done", value).

    One that `waits` collects the checks, and looks at the target only once it is asked to, by any message.
    Ends with the process, whatever the learner's code left running.
    """
    from lessonkit import guard

    _detach()
    os.chdir(os.path.dirname(os.path.dirname(suite)))  # the fork server's own folder may be gone by now
    sending, asked = threading.Lock(), threading.Event()
    if not waits:
        asked.set()

    def send(event: str, value: object) -> None:
        asked.wait()
        with sending:
            connection.send((event, value))

    threading.Thread(target=_hear, args=(connection, asked, guard.real_exit), daemon=True).start()
    status, details = run_pytest(suite, target, time_scale, send, select)
    send("done", (status, details))
    guard.real_exit(0)


def run_pytest(suite: str, target: str, time_scale: float, send: Any, select: str = "") -> tuple[int, str]:
    """Run one suite in this process; returns pytest's exit status and the end of what it printed."""
    import pytest

    from lessonkit import plugin

    class Connect:
        @pytest.hookimpl(trylast=True)
        def pytest_configure(self, config: pytest.Config) -> None:
            checks = config.stash[plugin.CHECKS]
            checks.listen, checks.time_scale = send, time_scale

    arguments = [suite, f"--target={target}", *only_in(os.path.dirname(suite))]
    arguments += [
        "-q",
        "--tb=no",
        "--capture=no",
        "--assert=plain",
        "--import-mode=importlib",
        "--noconftest",
    ]
    arguments += ["-m", select] if select else []
    arguments += ["--strict-markers", *(f"-pno:{name}" for name in UNUSED_PLUGINS)]
    # A solution is what people copy: nothing in it may be deprecated. Other code is told by its checks.
    arguments += ["-Werror::DeprecationWarning"] if target == "solution" else ["-pno:warnings"]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    before, sys.stdout = sys.stdout, io.StringIO()
    try:
        status = int(pytest.main(arguments, plugins=[plugin, Connect()]))
        printed = sys.stdout.getvalue() if isinstance(sys.stdout, io.StringIO) else ""
    finally:
        sys.stdout = before
    return status, printed[-DETAILS_CHARACTERS:]


def only_in(folder: str) -> list[str]:
    """pytest's options for a run that looks for nothing outside `folder`, neither settings nor files."""
    return ["--rootdir", folder, "-c", os.devnull, "--confcutdir", folder]


def _detach() -> None:
    """Leave the terminal alone: nothing printed past `sys.stdout`, no Ctrl-C, no byte-code files."""
    sys.dont_write_bytecode = True
    if hasattr(os, "setsid"):
        os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _hear(connection: "Connection[Any, Any]", asked: threading.Event, end: Any) -> None:
    """The runner sends at most that it wants its report now; an end of file means that it is gone."""
    try:
        connection.recv()
        asked.set()
        connection.recv()
    except (EOFError, OSError):
        end(1)
