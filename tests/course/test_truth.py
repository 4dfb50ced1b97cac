"""The truth matrix: every lesson's suite, on every target, gets the verdict that it must get."""

from collections.abc import Callable

import pytest

from lessonkit.author import truth
from lessonkit.course import Lesson, find_course
from lessonkit.report import Report

LESSONS = find_course().lessons()
CASES = [
    pytest.param(lesson, target, id=f"{lesson.name}-{target}")
    for lesson in LESSONS
    for target in truth.targets(lesson)
]


@pytest.mark.parametrize(("lesson", "target"), CASES)
def test_target_gets_the_verdict_it_must_get(
    lesson: Lesson, target: str, reports: Callable[[Lesson, str], Report]
) -> None:
    faults = truth.faults(lesson, reports(lesson, target))
    assert not faults, "\n".join(faults)
