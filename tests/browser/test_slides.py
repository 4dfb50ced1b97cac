"""The slides of a lesson as a class sees them: opened from a file, walked through at two shapes of a projector."""

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page
from tests.browser.conftest import COMMAND, fresh_copy

from lessonkit.author.notebooks import Kernel
from lessonkit.course import Course, Lesson, find_course
from lessonkit.slides import make_slides, read_notes

SlidesOf = Callable[[str], tuple[Lesson, str]]
SHAPES = ((1280, 720), (1024, 768))
PARTS = ".jp-Cell-inputWrapper, .jp-Cell-outputWrapper"

# What the current slide shows, once all of its fragments are there. `beyond` names what is cut off or hangs over.
LOOK = """() => {
  while (Reveal.availableFragments().next) Reveal.nextFragment();
  const slide = Reveal.getCurrentSlide(), page = slide.querySelector(".page");
  const over = (part) => part.scrollHeight > part.clientHeight + 1 || part.scrollWidth > part.clientWidth + 1;
  const scrolls = (part) => getComputedStyle(part).overflowY === "auto";
  const beyond = [slide, page].filter(over).map((part) => part.className || part.tagName);
  const edge = page.getBoundingClientRect();
  for (const part of page.querySelectorAll("PARTS")) {
    const at = part.getBoundingClientRect();
    if (at.bottom > edge.bottom + 1 || at.right > edge.right + 1) beyond.push(`${part.className} hangs over`);
    if (over(part) && (part.closest(".jp-MarkdownCell") || !scrolls(part))) beyond.push(`${part.className} is cut off`);
  }
  return {
    cell: slide.dataset.cell, beyond, text: page.innerText.trim().length + page.querySelectorAll("img").length,
    prose: page.querySelector(".jp-MarkdownCell") !== null,
    size: parseFloat(getComputedStyle(page).fontSize), notes: Reveal.getSlideNotes(slide),
    seen: slide.getBoundingClientRect().right <= innerWidth + 1 && slide.getBoundingClientRect().bottom <= innerHeight + 1,
    last: Reveal.isLastSlide(),
  };
}""".replace("PARTS", PARTS)


@pytest.fixture(scope="module")
def slides_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlidesOf]:
    """`slides_of(name)`: a lesson and the address of its slides, made once, all in one kernel."""
    course = fresh_copy(tmp_path_factory.mktemp("clone"))
    kernel = Kernel()

    @cache
    def made(name: str) -> tuple[Lesson, str]:
        lesson = Course(course).lesson(name)
        return lesson, make_slides(lesson, kernel=kernel).as_uri()

    yield made
    kernel.close()


def marks(lesson: Lesson) -> list[pytest.MarkDecorator]:
    return [] if lesson.number == 1 else [pytest.mark.exhaustive]


LESSONS = [pytest.param(one.name, id=one.name, marks=marks(one)) for one in find_course().lessons()]


def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and what it complains about."""
    page, complaints = context.new_page(), []
    page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    return page, complaints


def walk(page: Page, address: str) -> list[dict[str, Any]]:
    """What each slide shows, from the first to the last."""
    page.goto(address)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    slides = []
    while True:
        page.wait_for_timeout(30)
        slides.append(page.evaluate(LOOK))
        if slides[-1]["last"]:
            return slides
        page.evaluate("Reveal.next()")


@pytest.mark.parametrize("name", LESSONS)
def test_every_slide_is_seen_whole(name: str, slides_of: SlidesOf, context: BrowserContext) -> None:
    lesson, address = slides_of(name)
    page, complaints = watched(context)
    for width, height in SHAPES:
        page.set_viewport_size({"width": width, "height": height})
        page.goto("about:blank")
        slides = walk(page, address)
        for slide in slides:
            where = f"{slide['cell']} at {width}x{height}"
            assert slide["beyond"] == [], where
            assert slide["seen"], where
            assert slide["text"] > 0, f"{where} is empty"
            assert slide["size"] >= (22 if slide["prose"] else 18), where
        shown = " ".join(slide["notes"] or "" for slide in slides)
        for cell, note in read_notes(lesson).items():
            assert note in page.evaluate(
                "(text) => Object.assign(document.createElement('p'), {innerHTML: text}).innerText", shown
            ), cell
    assert complaints == []


def test_s_opens_the_speaker_notes(slides_of: SlidesOf, context: BrowserContext) -> None:
    lesson, address = slides_of(find_course().lessons()[0].name)
    page, complaints = watched(context)
    page.goto(address)
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    with context.expect_page() as opened:
        page.keyboard.press("s")
    notes = opened.value.locator(".speaker-controls-notes .value")
    first, second, *_ = read_notes(lesson).values()
    notes.filter(has_text=first).wait_for()
    page.evaluate("Reveal.slide(1)")
    notes.filter(has_text=second).wait_for()
    assert complaints == []


def test_the_command_writes_them_beside_the_learners_work(course: Path) -> None:
    """The real command, without a browser; nothing of the learner's is there afterwards, or gone."""
    work = course / "work" / "01_prediction_request"
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    done = subprocess.run(
        [*COMMAND, "slides", "1", "--target", "starter", "--no-browser"],
        cwd=course,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "COLUMNS": "200"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    index = course / "work" / ".slides" / "01_prediction_request" / "index.html"
    assert "work/.slides/01_prediction_request/index.html" in done.stdout
    assert "S opens the speaker notes" in done.stdout
    assert index.is_file()
    assert done.stderr == ""
    assert before == {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    told = index.read_text(encoding="utf-8")
    assert "VBox(" not in told
    assert "which status comes back?" in told


def test_the_notebook_is_shown_live_in_jupyterlab(start: Callable[[int], Page]) -> None:
    """With RISE, whose usual theme would ask another machine for its letters."""
    page = start(1)
    page.locator(".jp-NotebookPanel [data-jp-item-name=RISE-button]").first.wait_for()
    lesson = find_course().lessons()[0]
    address = urlsplit(page.url)
    page.goto(f"{address.scheme}://{address.netloc}/rise/{lesson.name}/{lesson.notebook.name}")
    page.locator(".reveal .slides section.present h1", has_text="Lesson 1").first.wait_for()
    page.wait_for_timeout(2_000)
    if "PICTURES" in os.environ:
        page.screenshot(path=Path(os.environ["PICTURES"]) / "rise.png")
