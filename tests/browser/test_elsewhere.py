"""The same notebook in Notebook 7, behind a prefix, as on a hub or on Binder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from tests.browser.conftest import COMMAND, SECONDS
from tests.browser.studio import FRAME, Studio

from lessonkit.course import Course

PREFIX = "/user/ada/"


@pytest.fixture
def notebook_server(course: Path) -> Iterator[str]:
    """Notebook 7 on work/, behind `PREFIX`; gives the address of the first lesson's notebook."""
    subprocess.run([*COMMAND, "start", "1", "--no-lab"], cwd=course, check=True, capture_output=True)
    options = [
        f"--ServerApp.base_url={PREFIX}",
        f"--ServerApp.root_dir={course / 'work'}",
        "--ServerApp.port=0",
        "--no-browser",
        "--allow-root",
        "--LabApp.news_url=None",
        "--JupyterNotebookApp.default_url=/tree",
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", "notebook", *options],
        cwd=course,
        env=os.environ | {"JUPYTER_TOKEN": "a-token"},
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert server.stderr is not None
    with server.stderr as told:
        base = next(
            filter(
                None, (re.search(r"http://(?:localhost|127\.0\.0\.1):\d+/user/ada/", line) for line in told)
            )
        )
        lesson = Course(course).lesson("1")
        yield f"{base[0]}notebooks/{lesson.name}/{lesson.notebook.name}?token=a-token"
        server.terminate()
        server.wait(SECONDS)


def test_notebook_7_behind_a_prefix(notebook_server: str, course: Path, context: BrowserContext) -> None:
    lesson = Course(course).lesson("1")
    (lesson.work / "main.py").write_text(
        (lesson.solution / "main.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    page = context.new_page()
    page.goto(notebook_server)
    expect(page.locator(".jp-NotebookPanel")).to_be_visible(timeout=SECONDS * 1000)
    studio = Studio.of(page)
    studio.run(studio.cell("import json"))
    expect(studio.run(studio.cell("check()"))).to_contain_text("All 14 checks pass")
    shown = studio.run(studio.cell("serve()"))
    source = shown.locator(FRAME).get_attribute("src") or ""
    assert re.fullmatch(rf"{PREFIX}proxy/\d+/docs", source)
    assert studio.try_out()["status"] == "200"
