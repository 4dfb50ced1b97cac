"""A lesson from a fresh clone to a request in `/docs`, in a real browser, for lessons of each kind."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.browser.studio import FRAME, TIMEOUT_MILLISECONDS, Studio

from lessonkit.course import Course, Lesson


@pytest.mark.parametrize(
    "number", [1, 8, *(pytest.param(number, marks=pytest.mark.thorough) for number in (5, 6))]
)
def test_a_lesson_in_the_studio(number: int, course: Path, start: Callable[[int], Page]) -> None:
    lesson: Lesson = Course(course).lesson(str(number))
    studio = Studio(start(number))
    starter = (lesson.work / "main.py").read_text(encoding="utf-8")

    studio.run_all()
    report = studio.cell("check()").locator(".jp-OutputArea")
    expect(report).to_contain_text("✗ failed")
    expect(report).to_contain_text("Next step")

    solution = (lesson.solution / "main.py").read_text(encoding="utf-8")
    assert solution != starter
    studio.write(solution)
    report = studio.run(studio.cell("check()"))
    expect(report).to_contain_text(re.compile(r"All \d+ checks pass"))
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == solution

    shown = studio.run(studio.cell("serve()"))
    expect(shown.locator(FRAME)).to_be_visible()
    address = re.findall(r"http://127\.0\.0\.1:\d+", shown.text_content() or "")[0]
    answer = studio.try_out()
    assert answer["status"] == "200", answer

    studio.write("app =")
    frame = studio.page.frame_locator(FRAME).first
    expect(frame.get_by_text("main.py does not load yet")).to_be_visible(timeout=TIMEOUT_MILLISECONDS)
    studio.write(solution)
    expect(frame.locator(".opblock-post").first).to_be_visible(timeout=TIMEOUT_MILLISECONDS)

    studio.cell("serve()").locator(".cm-content").click()
    studio.menu("File", "Save Notebook")
    studio.restart_kernel()
    assert gone(address), "the server outlives the kernel that started it"
    assert (lesson.work / "main.py").read_text(encoding="utf-8") == solution
    assert "check()" in (lesson.work / lesson.notebook.name).read_text(encoding="utf-8")


def gone(address: str) -> bool:
    """Whether nothing listens there any more, or soon will not."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            httpx2.get(f"{address}/docs")
        except httpx2.TransportError:
            return True
        time.sleep(0.1)
    return False
