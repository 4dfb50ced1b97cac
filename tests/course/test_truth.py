"""The truth matrix: every lesson's suite, on every target, gets the verdict that it must get."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from _pytest.mark import ParameterSet

from lessonkit.author import truth
from lessonkit.course import Lesson, find_course
from lessonkit.nulls import NULL_APPS
from lessonkit.report import Report

# How many targets of a kind `uv run pytest` tries of each lesson, and how many CI tries as well (`-m thorough`). The rest
# is marked `exhaustive`: an author tries everything with `-m ""`. Those whose verdicts need processes are left to CI.
QUICK = {"mistake": 1, "answer": 1}
THOROUGH = {"mistake": 5, "answer": 2, "slow": 1}


def cases(lesson: Lesson) -> Iterator[ParameterSet]:
    seen: Counter[str] = Counter()
    needing_processes = truth.needing_processes(lesson)
    for target in truth.targets(lesson):
        kind = target.partition(":")[0]
        if kind in QUICK and target in needing_processes:
            kind = "slow"
        seen[kind] += 1
        marks = []
        if seen[kind] > THOROUGH.get(kind, len(NULL_APPS)):
            marks = [pytest.mark.exhaustive]
        elif seen[kind] > QUICK.get(kind, len(NULL_APPS)) or target in needing_processes:
            marks = [pytest.mark.thorough]
        yield pytest.param(lesson, target, id=f"{lesson.name}-{target}", marks=marks)


CASES = [case for lesson in find_course().lessons() for case in cases(lesson)]


@pytest.mark.parametrize(("lesson", "target"), CASES)
def test_target_gets_the_verdict_it_must_get(
    lesson: Lesson, target: str, reports: Callable[[Lesson, str], Report]
) -> None:
    faults = truth.faults(lesson, reports(lesson, target))
    assert not faults, "\n".join(faults)
