"""The truth matrix: every lesson's suite, on every target, gets the verdict that it must get."""

from collections.abc import Callable, Iterator

import pytest
from _pytest.mark import ParameterSet

from lessonkit.author import truth
from lessonkit.course import Lesson, find_course
from lessonkit.report import Report

FIRST_MISTAKES = 12  # of each lesson; the others are marked `thorough`, and CI runs them too


def cases(lesson: Lesson) -> Iterator[ParameterSet]:
    mistakes = 0
    for target in truth.targets(lesson):
        mistakes += target.startswith("mistake:")
        marks = [pytest.mark.thorough] if mistakes > FIRST_MISTAKES and target.startswith("mistake:") else []
        yield pytest.param(lesson, target, id=f"{lesson.name}-{target}", marks=marks)


CASES = [case for lesson in find_course().lessons() for case in cases(lesson)]


@pytest.mark.parametrize(("lesson", "target"), CASES)
def test_target_gets_the_verdict_it_must_get(
    lesson: Lesson, target: str, reports: Callable[[Lesson, str], Report]
) -> None:
    faults = truth.faults(lesson, reports(lesson, target))
    assert not faults, "\n".join(faults)
