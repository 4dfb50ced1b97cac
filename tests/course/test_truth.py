"""The truth matrix: every lesson's suite, on every target, gets the verdict that it must get."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from _pytest.mark import ParameterSet

from lessonkit.author import truth
from lessonkit.course import Lesson, find_course
from lessonkit.mistakes import Mistake, read_mistakes
from lessonkit.nulls import NULL_APPS
from lessonkit.report import Report
from lessonkit.suite import checks_of

FIRST_MISTAKES = (
    4  # of each lesson; the others are marked `thorough`, as most answers are, and CI runs them too
)
FIRST_ANSWERS = 2


def cases(lesson: Lesson) -> Iterator[ParameterSet]:
    first = {"mistake": FIRST_MISTAKES, "answer": FIRST_ANSWERS}
    starting = {check.name for check in checks_of(lesson) if check.starts_processes}
    slow = {
        one.target for one in read_mistakes(lesson) if starting & {*one.caught_by, *_right(one, starting)}
    }
    seen: Counter[str] = Counter()
    for target in truth.targets(lesson):
        kind = target.partition(":")[0]
        seen[kind] += 1
        marks = (
            [pytest.mark.thorough] if seen[kind] > first.get(kind, len(NULL_APPS)) or target in slow else []
        )
        yield pytest.param(lesson, target, id=f"{lesson.name}-{target}", marks=marks)


def _right(answer: Mistake, starting: set[str]) -> set[str]:
    """A right answer has to pass every check, those that start processes too."""
    return set() if answer.caught_by else starting


CASES = [case for lesson in find_course().lessons() for case in cases(lesson)]


@pytest.mark.parametrize(("lesson", "target"), CASES)
def test_target_gets_the_verdict_it_must_get(
    lesson: Lesson, target: str, reports: Callable[[Lesson, str], Report]
) -> None:
    faults = truth.faults(lesson, reports(lesson, target))
    assert not faults, "\n".join(faults)
