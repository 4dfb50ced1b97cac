"""Which lesson a notebook belongs to: the one whose folder it runs in."""

from dataclasses import dataclass
from pathlib import Path

from lessonkit.course import Lesson, LessonError, find_course


@dataclass(frozen=True)
class Here:
    """The lesson of a notebook, and the folder that it runs in."""

    lesson: Lesson
    folder: Path

    @property
    def target(self) -> str:
        """What the checks look at: the learner's work, or the folder that is a copy of it."""
        return "work" if self.folder == self.lesson.work.resolve() else str(self.folder)


def here() -> Here:
    """The lesson whose name the current folder has; raises LessonError where there is none."""
    folder = Path.cwd().resolve()
    lesson = next((one for one in find_course().lessons() if one.name == folder.name), None)
    if lesson is None:
        raise LessonError(
            "This notebook is not in a lesson's working folder. "
            "Run `uv run lesson start`, and open the notebook that it puts into work/."
        )
    return Here(lesson, folder)
