"""The solution beside a learner's files."""

import difflib
from pathlib import Path

from lessonkit.course import Lesson

LEGEND = "Lines with - are yours, lines with + are ours; a different way that passes is as right."
SAME = "Your files and the solution are the same."


def differences(lesson: Lesson, folder: Path) -> list[str]:
    """The lines of a unified diff from the files of `folder` to the solution's; empty where they are the same."""
    lines: list[str] = []
    for path in sorted(lesson.solution.rglob("*.py")):
        name = path.relative_to(lesson.solution).as_posix()
        mine = folder / name
        text = mine.read_text(encoding="utf-8", errors="replace") if mine.is_file() else ""
        lines += difflib.unified_diff(
            text.splitlines(),
            path.read_text(encoding="utf-8").splitlines(),
            fromfile=f"yours/{name}",
            tofile=f"solution/{name}",
            lineterm="",
        )
    return lines
