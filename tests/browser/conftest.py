"""The studio as a learner meets it: a fresh copy of the course, JupyterLab on it, a real browser, no internet."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "lessonkit.command"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Without these a browser asks its maker's hosts for news at every start.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SECONDS = 120
HERE = re.compile(r"^(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|^(data|blob|about|chrome|file):")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        says = f"no browser: none of {', '.join(BROWSERS)} is installed (on Debian: apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(says)
        pytest.skip(says)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A window that has been nowhere, and afterwards the proof that it never asked another machine."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(SECONDS * 1000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context
    context.close()
    assert [url for url in asked if not HERE.match(url)] == []
    assert asked


def fresh_copy(folder: Path) -> Path:
    """The course in `folder` as somebody has it who just cloned it."""
    course = folder / "fastapi-in-one-post"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (course / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, course / name)
    return course


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A fresh copy of the course, of this test alone."""
    return fresh_copy(tmp_path)


@pytest.fixture
def start(course: Path, tmp_path: Path, context: BrowserContext) -> Iterator[Callable[[int], Page]]:
    """`start(8)` runs `lesson start 8` and opens the address that it prints."""
    settings = {
        "PYTHONUNBUFFERED": "1",
        "BROWSER": "true-of-nobody",
        "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"),  # nobody's own theme and settings
    }
    with ExitStack() as running:

        def start_lesson(number: int) -> Page:
            command = subprocess.Popen(
                [*COMMAND, "start", str(number)],
                cwd=course,
                env=os.environ | settings,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
            assert command.stdout is not None
            running.callback(command.wait, SECONDS)
            running.callback(subprocess.run, [*COMMAND, "stop"], cwd=course, check=True)
            running.enter_context(command.stdout)
            told = iter(command.stdout.readline, "")
            address = next(filter(None, (re.search(r"http://localhost\S+", line) for line in told)))
            page = context.new_page()
            for _ in range(SECONDS):
                try:
                    page.goto(address[0])
                    break
                except Exception:  # not listening yet
                    page.wait_for_timeout(1000)
            return page

        yield start_lesson
