"""What a learner has reached, in `work/progress.json`: verdicts and hints, by lesson and check name."""

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lessonkit.course import Course, Lesson
from lessonkit.files import explained, locked, write_atomically
from lessonkit.report import Report

VERSION = 1


@dataclass
class LessonProgress:
    """The last verdict of each check (by its id), how many of its hints were shown (by its name), and which checks
    (by name) have all passed in one run: that stays, whatever is tried in the lesson later."""

    checks: dict[str, str] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def finished(self, lesson: Lesson) -> bool:
        """Whether every check that the suite has today has passed, all in one run."""
        names = lesson.check_names()
        return bool(names) and self.done.issuperset(names)


class Progress:
    """The file, read and written whole. A corrupt one is set aside, and `set_aside` says where."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.path = course.work / "progress.json"
        self.set_aside: Path | None = None

    def lesson(self, lesson: Lesson) -> LessonProgress:
        """What is known of a lesson; empty when nothing is."""
        return self._read().get(lesson.name, LessonProgress())

    def record(self, lesson: Lesson, report: Report) -> None:
        """Keep a report's verdicts in place of the lesson's former ones. Raises LessonError if it cannot."""
        with explained("Saving your progress"), locked(self.course.work):
            everything = self._read()
            mine = everything.setdefault(lesson.name, LessonProgress())
            mine.checks = {check.id: check.outcome for check in report.checks}
            if report.ok:
                mine.done = {check.name for check in report.checks}
            self._write(everything)

    def show_hint(self, lesson: Lesson, check: str, most: int) -> int:
        """Note that one more of a check's `most` hints is shown; returns its number, from 1."""
        with explained("Saving your progress"), locked(self.course.work):
            everything = self._read()
            mine = everything.setdefault(lesson.name, LessonProgress())
            mine.hints[check] = min(mine.hints.get(check, 0) + 1, most)
            self._write(everything)
            return mine.hints[check]

    def forget(self, lesson: Lesson) -> None:
        """Begin a lesson anew: no verdicts, no hints shown."""
        with explained("Saving your progress"), locked(self.course.work):
            everything = self._read()
            if everything.pop(lesson.name, None) is not None:
                self._write(everything)

    def first_unfinished(self) -> Lesson | None:
        """The first lesson that is not finished; None when the course is done."""
        known = self._read()
        for lesson in self.course.lessons():
            if not known.get(lesson.name, LessonProgress()).finished(lesson):
                return lesson
        return None

    def _read(self) -> dict[str, LessonProgress]:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            if data["version"] != VERSION:
                raise ValueError("another version")
            return {str(name): _lesson_progress(one) for name, one in data["lessons"].items()}
        except OSError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
            self.set_aside = self.path.with_name(f"progress.unreadable-{stamp}.json")
            os.replace(self.path, self.set_aside)
            return {}

    def _write(self, everything: dict[str, LessonProgress]) -> None:
        lessons = {
            name: {"checks": one.checks, "hints": one.hints, "done": sorted(one.done)}
            for name, one in everything.items()
        }
        text = json.dumps({"version": VERSION, "lessons": lessons}, indent=2)
        write_atomically(self.path, text.encode("utf-8"))


def _lesson_progress(data: dict[str, Any]) -> LessonProgress:
    checks = {str(name): str(outcome) for name, outcome in data["checks"].items()}
    hints = {str(name): int(count) for name, count in data["hints"].items()}
    passed = {name.partition("[")[0] for name in checks} if set(checks.values()) == {"passed"} else set()
    return LessonProgress(checks, hints, {str(name) for name in data.get("done", passed)})
