"""The rules of the course's content, for every lesson."""

import pytest

from lessonkit.author.rules import RULES, Rule
from lessonkit.course import Lesson, find_course


@pytest.mark.parametrize("lesson", find_course().lessons(), ids=lambda lesson: lesson.name)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_lesson_keeps_the_rule(lesson: Lesson, rule: Rule) -> None:
    broken = list(rule(lesson))
    assert not broken, "\n".join(broken)
