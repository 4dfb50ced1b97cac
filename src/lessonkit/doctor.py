"""Looks whether a machine has what the course needs; each finding says what is there, or how to mend it."""

import os
import platform
import shutil
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from lessonkit.course import Course
from lessonkit.live.handle import KEYS
from lessonkit.runner import run

DISTRIBUTION = "fastapi-in-one-post"
OLDEST_PYTHON = (3, 11)
TOLD = ("fastapi", "pydantic", "uvicorn", "anthropic", "jupyterlab", "pytest")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` says what to do, or what it means, and may be empty."""

    well: bool
    says: str
    mend: str = ""


def examine(course: Course) -> Iterator[Finding]:
    """Look at everything that the course needs, one finding at a time."""
    yield _python()
    yield _packages()
    yield _kernel()
    yield _browser()
    yield _port()
    yield _work(course)
    yield _proxy()
    yield _key()
    yield _redis()
    yield _checks(course)
    yield Finding(True, "internet: not needed from here on")


def _python() -> Finding:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    well = sys.version_info >= OLDEST_PYTHON
    return Finding(
        well,
        f"Python {platform.python_version()} on {platform.system()}",
        "" if well else f"Install Python {wanted} or newer, then: uv sync",
    )


def _packages() -> Finding:
    """Compare what is installed with what the project asks for."""
    wrong = []
    for line in metadata.requires(DISTRIBUTION) or []:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} is not {wanted.specifier}")
    if wrong:
        return Finding(False, f"packages: {', '.join(wrong)}", "Install them: uv sync")
    return Finding(True, "packages: " + ", ".join(f"{name} {metadata.version(name)}" for name in TOLD))


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    step = "Install the kernel of this environment: uv run python -m ipykernel install --sys-prefix"
    try:
        program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return Finding(False, "kernel: there is no python3 kernel", step)
    found = shutil.which(program) or program
    if program not in ("python", "python3") and Path(found).parent != Path(sys.executable).parent:
        return Finding(False, f"kernel: python3 is the Python of another environment, {found}", step)
    return Finding(True, "kernel: python3, of this environment")


def _browser() -> Finding:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return Finding(
            True,
            "browser: none can be opened from here",
            "`lesson start` prints an address; open it in any browser.",
        )
    return Finding(True, "browser: can be opened from here")


def _port() -> Finding:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError as error:
            return Finding(
                False,
                f"ports: none can be opened on 127.0.0.1 ({error.strerror})",
                "Look at what your firewall or sandbox forbids.",
            )
    return Finding(True, "ports: servers can listen on 127.0.0.1")


def _work(course: Course) -> Finding:
    folder = course.work if course.work.is_dir() else course.root
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            False,
            f"files: {folder} cannot be written ({error.strerror})",
            "Give yourself the right to write there, or put the course into a folder of yours.",
        )
    return Finding(True, "files: work/ can be written")


def _proxy() -> Finding:
    """A proxy that is meant for the internet must not get what is meant for this machine."""
    from urllib.request import getproxies, proxy_bypass

    if "http" in getproxies() and not proxy_bypass("127.0.0.1"):
        return Finding(
            False,
            "proxy: requests to this machine would go to the proxy that http_proxy names",
            "Leave this machine out of it: export no_proxy=127.0.0.1,localhost",
        )
    return Finding(True, "proxy: none between you and your own machine")


def _key() -> Finding:
    names = [name for name in KEYS if os.environ.get(name)]
    if names:
        return Finding(
            True,
            f"key: {names[0]} is set, so an app that you serve talks to the real service",
            "Each of its calls may cost money; the checks never call it.",
        )
    return Finding(True, "key: none is set, so an app that you serve talks to the stand-in")


def _redis() -> Finding:
    if shutil.which("redis-server"):
        return Finding(True, "redis-server: is there, for the check that several workers share one limit")
    return Finding(
        True,
        "redis-server: is not there, so the check that several workers share one limit is left out",
        "To have it: apt install redis-server, or brew install redis",
    )


def _checks(course: Course) -> Finding:
    """Run the suite of the first lesson on its solution, which proves more than any version does."""
    lesson = course.lessons()[0]
    report = run(lesson, "solution")
    if report.ok:
        return Finding(True, f"checks: all {report.total} of lesson {lesson.number} pass on the solution")
    trouble = (
        report.error.text() if report.error else f"{report.passed} of {report.total} pass on the solution"
    )
    return Finding(
        False, f"checks: {trouble}", "Bring the course's own files back: git status, git checkout ."
    )
