"""Our solution beside the learner's main.py, as a coloured diff."""

import difflib

from rich.syntax import Syntax

from lessonkit.course import Lesson
from lessonkit.terminal import console


def show_difference(lesson: Lesson) -> None:
    """Print each solution file that differs from the learner's as a unified diff, or say that none does."""
    out = console()
    same = True
    for path in sorted(lesson.solution.rglob("*.py")):
        name = path.relative_to(lesson.solution).as_posix()
        mine = lesson.work / name
        text = mine.read_text(encoding="utf-8", errors="replace") if mine.is_file() else ""
        lines = list(
            difflib.unified_diff(
                text.splitlines(),
                path.read_text(encoding="utf-8").splitlines(),
                fromfile=f"yours/{name}",
                tofile=f"solution/{name}",
                lineterm="",
            )
        )
        if lines:
            same = False
            out.print(
                Syntax(
                    "\n".join(lines), "diff", theme="ansi_light", background_color="default", word_wrap=True
                )
            )
    if same:
        out.print("Your files and the solution are the same.")
    out.print(
        "Lines with - are yours, lines with + are ours; a different way that passes is as right.",
        style="cyan",
    )
