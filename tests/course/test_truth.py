"""The truth matrix: every lesson's suite, on every target, gets the verdict that it must get."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from _pytest.mark import ParameterSet

from lessonkit.author import truth
from lessonkit.course import Lesson, find_course
from lessonkit.nulls import NULL_APPS
from lessonkit.report import Report

FIRST_MISTAKES = (
    4  # of each lesson; the others are marked `thorough`, as most answers are, and CI runs them too
)
FIRST_ANSWERS = 2


def cases(lesson: Lesson) -> Iterator[ParameterSet]:
    first = {"mistake": FIRST_MISTAKES, "answer": FIRST_ANSWERS}
    seen: Counter[str] = Counter()
    for target in truth.targets(lesson):
        kind = target.partition(":")[0]
        seen[kind] += 1
        marks = [pytest.mark.thorough] if seen[kind] > first.get(kind, len(NULL_APPS)) else []
        yield pytest.param(lesson, target, id=f"{lesson.name}-{target}", marks=marks)


CASES = [case for lesson in find_course().lessons() for case in cases(lesson)]


@pytest.mark.parametrize(("lesson", "target"), CASES)
def test_target_gets_the_verdict_it_must_get(
    lesson: Lesson, target: str, reports: Callable[[Lesson, str], Report]
) -> None:
    faults = truth.faults(lesson, reports(lesson, target))
    assert not faults, "\n".join(faults)
