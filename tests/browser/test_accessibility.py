"""The studio without a mouse, at 200 %, on light and dark pages, and as a screen reader is told of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, ViewportSize, expect
from tests.browser.studio import Studio

from lessonkit.course import Course

# JupyterLab's own frame of the page has no height, and what hangs out of it counts as unseen, with axe too.
SEEN = "body { overflow: visible !important; min-height: 100vh }"
# A window that holds outputs as a whole: the part of one that is scrolled away counts as unseen too.
WHOLE: ViewportSize = {"width": 1440, "height": 3000}
VEIL = "#jupyterlab-splash"  # lies over the page until a theme has loaded; axe sees no text through it
CONTRAST = "color-contrast"
MOST_LOOKS = 10
PAUSE_MILLISECONDS = 500
MOST_STEPS = 20
THEMES = ("JupyterLab Light", "JupyterLab Dark")


@pytest.fixture
def studio(start: Callable[[int], Page]) -> Studio:
    return Studio(start(1))


def faults(shown: Locator) -> list[str]:
    """What axe-core has against an output (WCAG 2 at level AA): a line for each part of it."""
    for _ in range(MOST_LOOKS):
        found = looked_at(shown)
        if CONTRAST in ids(found, "passes", "violations") and CONTRAST not in ids(found, "incomplete"):
            break
        shown.page.wait_for_timeout(PAUSE_MILLISECONDS)  # it was scrolled away, or something lay over it
    else:
        raise AssertionError(f"axe cannot see all text of the output: {found['incomplete']}")
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def ids(found: dict[str, list[dict[str, Any]]], *kinds: str) -> set[str]:
    """The names of the rules that an output passes, violates, or leaves undecided."""
    return {one["id"] for kind in kinds for one in found[kind]}


def looked_at(shown: Locator) -> dict[str, list[dict[str, Any]]]:
    """What axe-core says of an output, sorted into `passes`, `violations` and `incomplete`."""
    expect(shown.page.locator(VEIL)).to_have_count(0)
    shown.page.add_style_tag(content=SEEN)
    shown.scroll_into_view_if_needed()
    shown.evaluate("element => element.id = 'looked-at'")
    found: dict[str, list[dict[str, Any]]] = (
        Axe().run(shown.page, context="#looked-at .jp-OutputArea-output").response
    )
    shown.evaluate("element => element.removeAttribute('id')")
    return found


def test_outputs_have_names_and_contrast_in_light_and_dark(studio: Studio, course: Path) -> None:
    lesson = Course(course).lesson("1")
    solution = (lesson.solution / "main.py").read_text(encoding="utf-8")
    report = studio.cell("check()").locator(".jp-OutputArea")
    guess = studio.cell("missing_width = predict(").locator(".jp-OutputArea")
    studio.page.set_viewport_size(WHOLE)
    studio.run_all()
    for main, says in (
        (None, "0 of 14 checks pass"),
        (solution.replace("512", "500"), "12 of 14"),
        (solution, "All 14"),
    ):
        if main is not None:
            studio.write(main)
            studio.run(studio.cell("check()"))
        expect(report).to_contain_text(says)
        for theme in THEMES:
            choose(studio, theme)
            wrong = faults(report) + faults(guess)
            assert wrong == [], f"{says}, {theme}"


def choose(studio: Studio, theme: str) -> None:
    """Take a theme from the menu, and wait until the page shows it."""
    studio.menu("Settings", "Theme")
    studio.page.locator(".lm-Menu-itemLabel", has_text=theme).first.click()
    expect(studio.page.locator("body")).to_have_attribute("data-jp-theme-name", theme)


def test_keys_alone_run_cells_take_a_guess_and_open_what_is_folded(studio: Studio) -> None:
    keys = studio.page.keyboard
    measured = studio.cell("reply = client.post(")
    expect(studio.page.locator(".jp-Notebook .jp-Cell:focus")).to_have_count(1)  # without a click
    for _ in range(9):
        keys.press("Shift+Enter")
    guess = studio.cell("missing_width = predict(").get_by_role("button", name="422")
    expect(guess).to_be_visible()
    reached(studio.page, guess, "Shift+Tab")
    keys.press("Space")
    keys.press("Escape")
    reached(studio.page, measured, "j")  # the next cell, as the arrow down
    keys.press("Shift+Enter")
    expect(measured.locator(".jp-OutputArea")).to_contain_text("(as you guessed)")

    checked = studio.cell("check()")
    while not checked.evaluate("cell => cell === document.activeElement"):
        keys.press("Shift+Enter")
    keys.press("Control+Enter")
    folded = checked.locator("details").first
    expect(folded).to_be_visible()
    reached(studio.page, folded.locator("summary"), "Tab")
    keys.press("Enter")
    expect(folded).to_have_attribute("open", "")


@pytest.mark.exhaustive
def test_at_200_percent_nothing_is_cut_off(studio: Studio) -> None:
    studio.page.set_viewport_size({"width": 720, "height": 450})  # what 1440x900 holds at 200 %
    studio.run_all()
    report = studio.cell("check()").locator(".jp-OutputArea")
    expect(report).to_contain_text("Next step")
    assert report.evaluate("area => area.scrollWidth <= area.clientWidth")
    code = studio.page.locator(".jp-FileEditor .cm-scroller")
    assert code.evaluate("area => area.scrollWidth <= area.clientWidth")


def reached(page: Page, wanted: Locator, key: str) -> None:
    """Press a key until `wanted` has the focus."""
    for _ in range(MOST_STEPS):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    focused = page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    raise AssertionError(f"{MOST_STEPS} times {key} do not lead to {wanted}, but to {focused}")
