"""The hints of a lesson, handed out one at a time, for the first check that fails."""

from dataclasses import dataclass

from lessonkit.course import Lesson
from lessonkit.progress import Progress
from lessonkit.report import Report


@dataclass(frozen=True)
class Hint:
    """One hint: number `number` of `of`, for the check called `title`."""

    title: str
    text: str
    number: int
    of: int

    def __str__(self) -> str:
        more = "" if self.number < self.of else ", the last one"
        return f"{self.title}\nHint {self.number} of {self.of}{more}: {self.text}"


def next_hint(lesson: Lesson, report: Report, progress: Progress) -> Hint | str:
    """The next hint of the report's first failing check; a sentence where there is none.

    For the learner's own work the hint is noted as shown, and when all were shown the last one comes
    again; for any other target it is always the first.
    """
    from lessonkit.suite import checks_of  # imports pytest, which only a hint needs

    if report.error is not None:
        return report.error.text()
    if not report.failures:
        return f"Every check of lesson {lesson.number} passes; there is nothing to hint at."
    failing = report.failures[0]
    check = next(one for one in checks_of(lesson) if one.name == failing.name)
    most = len(check.task.hints)
    number = progress.show_hint(lesson, check.name, most) if report.target == "work" else 1
    return Hint(failing.title, check.task.hints[number - 1], number, most)
