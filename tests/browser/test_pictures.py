"""The README's pictures of the studio, taken from a real one.

`PICTURES=.github/pictures uv run pytest tests/browser -k pictures -m ""` takes them anew.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from tests.browser.studio import FRAME, Studio

from lessonkit.course import Course
from lessonkit.targets import open_target

pytestmark = pytest.mark.exhaustive  # CI need not take pictures

MOST_BYTES = 200_000
COLOURS = 96


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[str, Page | Locator], Path]:
    """Takes a picture of a page, or of a part of one, and makes it light."""
    folder = Path(os.environ.get("PICTURES", tmp_path))

    def take(name: str, what: Page | Locator) -> Path:
        path = folder / f"{name}.png"
        what.screenshot(path=path)
        Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
        return path

    return take


def test_pictures_of_a_lesson(
    course: Path, start: Callable[[int], Page], keep: Callable[[str, Page | Locator], Path]
) -> None:
    lesson = Course(course).lesson("1")
    studio = Studio(start(1))
    studio.run(studio.cell("import json"))
    with open_target(lesson, "mistake:characters_counted") as wrong:
        studio.write(wrong.main.read_text(encoding="utf-8"))
    red = studio.run(studio.cell("check()"))
    expect(red).to_contain_text("✗ failed")
    taken = [keep("studio", studio.page)]
    studio.write((lesson.solution / "main.py").read_text(encoding="utf-8"))
    expect(studio.run(studio.cell("check()"))).to_contain_text("All 14 checks pass")
    studio.run(studio.cell("serve()"))
    assert studio.try_out()["status"] == "200"
    taken.append(keep("docs", studio.page.locator(FRAME)))
    assert all(1_000 < path.stat().st_size <= MOST_BYTES for path in taken), taken


def test_pictures_of_a_timeline(
    start: Callable[[int], Page], keep: Callable[[str, Page | Locator], Path]
) -> None:
    studio = Studio(start(5))
    studio.run_all()
    picture = studio.page.locator(".jp-OutputArea img").first
    picture.scroll_into_view_if_needed()
    path = keep("timeline", picture)
    assert 1_000 < path.stat().st_size <= MOST_BYTES
