"""Draws the README's pictures of a red and a green check: `uv run python -m lessonkit.author.pictures`.

They are what the terminal shows of a wrong and a right answer, recorded: run this again after a change to the reports.
"""

import io
import re
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from lessonkit.course import find_course
from lessonkit.runner import run
from lessonkit.terminal import render

FOLDER = ".github/pictures"
WIDTH = 92
PICTURES = {"red": "mistake:characters_counted", "green": "solution"}
LIGHT = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [
        (31, 35, 40),
        (180, 35, 24),
        (26, 111, 50),
        (154, 103, 0),
        (9, 86, 174),
        (130, 80, 223),
        (27, 100, 120),
        (110, 119, 129),
    ],
)


def draw(root: Path) -> list[Path]:
    """Write one SVG for each of `PICTURES`, from real runs of lesson 1; returns their paths."""
    lesson = find_course(root).lesson("1")
    written = []
    for name, target in PICTURES.items():
        out = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
        out.print(render(replace(run(lesson, target), target="work"), lesson))
        drawn = out.export_svg(title="uv run lesson check 1", theme=LIGHT)
        path = root / FOLDER / f"{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_without_web_fonts(drawn), encoding="utf-8")
        written.append(path)
    return written


def _without_web_fonts(drawn: str) -> str:
    """Rich's SVG asks a web server for its font; a local fixed-width one does as well."""
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL).replace("Fira Code", "ui-monospace")


if __name__ == "__main__":
    for picture in draw(find_course().root):
        print(picture)
