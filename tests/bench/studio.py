"""How long a learner waits for the studio: `uv run python -m tests.bench.studio`.

Measures, in one run and each beside its floor: from a fresh clone to the first red check (packages come from
uv's cache), from `lesson start` to a notebook that is ready, and a warm `check()` with its table drawn.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from tests.bench.feedback import milliseconds, show
from tests.browser.conftest import ARGUMENTS, BROWSERS
from tests.browser.studio import Studio

from lessonkit.course import Course, Lesson, find_course
from lessonkit.notebook import check

ROOT = find_course(Path(__file__)).root
CHECKS = 20
PAUSE_SECONDS = 1.0
STARTS = 3


def main() -> None:
    """Run the measurements for lesson 1 and print them."""
    with tempfile.TemporaryDirectory(prefix="lesson-") as scratch:
        clone = Path(scratch) / "clone"
        _call(["git", "clone", "--quiet", str(ROOT), str(clone)], ROOT)
        uv = {"UV_PROJECT_ENVIRONMENT": str(clone / ".venv")}
        environment = milliseconds(lambda: _call(["uv", "sync"], clone, variables=uv))
        begun = milliseconds(
            lambda: _call(["uv", "run", "lesson", "start", "1", "--no-lab"], clone, variables=uv)
        )
        red = milliseconds(
            lambda: _call(["uv", "run", "lesson", "check", "1"], clone, status=1, variables=uv)
        )
        pytest = ["uv", "run", "pytest", "-q", "tests/test_01_prediction_request.py"]
        bare = milliseconds(lambda: _call(pytest, clone, status=1, variables=uv))
        show("fresh clone to first red check", [environment + begun + red])
        show("  floor: uv sync, bare pytest", [environment + bare])

        lesson = Course(clone).lesson("1")
        ours, floor = _lab_starts(lesson)
        show("start to a ready notebook", ours)
        show("  floor: bare JupyterLab", floor)

        shutil.copy(lesson.solution / "main.py", lesson.work / "main.py")
        os.chdir(lesson.work)
        show("first check() of a kernel", [milliseconds(_drawn)])
        warm = []
        for _ in range(CHECKS):
            time.sleep(PAUSE_SECONDS)  # a learner types in between; meanwhile the next run makes itself ready
            warm.append(milliseconds(_drawn))
        suite = [sys.executable, "-m", "pytest", "-q", str(lesson.suite)]
        cold = [milliseconds(lambda: _call(suite, clone)) for _ in range(STARTS)]
        show("warm check(), table drawn", warm)
        show("  floor: bare pytest", cold)
        print(
            f"warm check() is {statistics.median(cold) / statistics.median(warm):.1f} times faster than bare pytest"
        )
        os.chdir(ROOT)


def _drawn() -> None:
    assert "All" in check()._repr_html_()


def _lab_starts(lesson: Lesson) -> tuple[list[float], list[float]]:
    program = next(filter(None, map(shutil.which, BROWSERS)))
    start = [sys.executable, "-m", "lessonkit.command", "start", "1"]
    bare = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    bare += ["--ServerApp.root_dir=work", "--LabApp.news_url=None"]
    inside = f"lab/tree/{lesson.name}/{lesson.notebook.name}"
    ours, floor = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        for _ in range(STARTS):
            page = browser.new_page()
            ours.append(milliseconds(lambda page=page: _open(start, lesson, page, "")))  # type: ignore[misc]
            page.close()
            page = browser.new_page()
            floor.append(milliseconds(lambda page=page: _open(bare, lesson, page, inside)))  # type: ignore[misc]
            page.close()
        browser.close()
    return ours, floor


def _open(command: list[str], lesson: Lesson, page: Page, inside: str) -> None:
    """Start JupyterLab and wait until the page has a kernel that is idle."""
    with _server(command, lesson.root) as address:
        if inside:
            base, token = address.split("lab?", 1)
            address = f"{base}{inside}?{token}"
        for _ in range(600):
            try:
                page.goto(address)
                break
            except Exception:  # not listening yet
                page.wait_for_timeout(50)
        Studio.of(page).wait_until_idle()


@contextmanager
def _server(command: list[str], folder: Path) -> Iterator[str]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as told:
        found = (re.search(r"http://(?:localhost|127\.0\.0\.1):\d+/lab\S*token=\S+", line) for line in told)
        yield next(filter(None, found))[0]
        os.killpg(process.pid, 15)
        process.wait()


def _call(command: list[str], folder: Path, status: int = 0, variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | (variables or {}), capture_output=True, check=False
    )
    assert done.returncode == status, done.stderr


if __name__ == "__main__":
    main()
