"""Every notebook runs from top to bottom, beside the starter and beside the solution."""

import json
from collections.abc import Callable

import pytest

from lessonkit.course import Lesson, find_course
from lessonkit.packages import packages_of
from lessonkit.suite import checks_of


def marks(lesson: Lesson, target: str) -> list[pytest.MarkDecorator]:
    """`uv run pytest` runs those without a service behind them, beside the solution; CI one of each other kind.

    All together take a quarter of an hour, which is an author's to spend.
    """
    if target == "solution" and "anthropic" not in packages_of(lesson):
        return (
            [] if not any(check.starts_processes for check in checks_of(lesson)) else [pytest.mark.exhaustive]
        )
    return [pytest.mark.thorough if (lesson.number, target) in OF_EACH_KIND else pytest.mark.exhaustive]


OF_EACH_KIND = ((1, "starter"), (8, "solution"))
ALL = [(lesson, target) for lesson in find_course().lessons() for target in ("starter", "solution")]
NAMES = [f"{lesson.name}-{target}" for lesson, target in ALL]
MARKED = [pytest.param(*case, id=name, marks=marks(*case)) for case, name in zip(ALL, NAMES, strict=True)]


@pytest.mark.parametrize(("lesson", "target"), MARKED)
def test_notebook_runs(
    lesson: Lesson, target: str, notebooks: Callable[[Lesson, str], dict[str, str]]
) -> None:
    shows_what_it_should(lesson, target, notebooks(lesson, target))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("lesson", "target"), ALL, ids=NAMES)
def test_notebook_runs_in_a_new_kernel(
    lesson: Lesson, target: str, new_kernels: Callable[[Lesson, str], dict[str, str]]
) -> None:
    shows_what_it_should(lesson, target, new_kernels(lesson, target))


def shows_what_it_should(lesson: Lesson, target: str, shown: dict[str, str]) -> None:
    notebook = json.loads(lesson.notebook.read_text(encoding="utf-8"))
    tags = {cell["id"]: cell["metadata"].get("tags", []) for cell in notebook["cells"]}
    for cell, text in shown.items():
        raises = "raises-exception" in tags[cell]
        assert ("error: " in text) == raises, f"The cell {cell}, beside the {target}, shows: {text}"
    verdict = shown["check-your-work"]
    assert "checks pass" in verdict, f"check() shows no report beside the {target}: {verdict}"
    all_pass = "All " in verdict.rstrip().splitlines()[-1]
    assert all_pass == (target == "solution"), f"check() beside the {target} shows: {verdict}"
