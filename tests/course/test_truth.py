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

# How many targets of a kind `uv run pytest` tries of each lesson, and how many CI tries as well (`-m thorough`). The rest
# is marked `exhaustive`: an author tries everything with `-m ""`. One that starts processes counts for many.
QUICK = {"mistake": 2, "answer": 1}
THOROUGH = {"mistake": 8, "answer": 3}
THOROUGH_SLOW = 1


def cases(lesson: Lesson) -> Iterator[ParameterSet]:
    starting = {check.name for check in checks_of(lesson) if check.starts_processes}
    slow = {
        one.target for one in read_mistakes(lesson) if starting & {*one.caught_by, *_right(one, starting)}
    }
    seen: Counter[str] = Counter()
    for target in truth.targets(lesson):
        kind = "slow" if target in slow else target.partition(":")[0]
        seen[kind] += 1
        marks = []
        if kind == "slow" or seen[kind] > QUICK.get(kind, len(NULL_APPS)):
            tried = THOROUGH_SLOW if kind == "slow" else THOROUGH[kind]
            marks = [pytest.mark.thorough if seen[kind] <= tried else pytest.mark.exhaustive]
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
