"""Which packages a lesson works with: those that its solution imports."""

import ast
from contextlib import suppress
from functools import cache

from lessonkit.course import Lesson


@cache
def packages_of(lesson: Lesson) -> frozenset[str]:
    """The names of the packages outside the lesson that its solution imports ("fastapi", "anthropic")."""
    found: set[str] = set()
    for path in lesson.solution.glob("*.py"):
        with suppress(SyntaxError, ValueError):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module)
    own = {path.stem for path in lesson.solution.iterdir()} if lesson.solution.is_dir() else set()
    return frozenset(name for name in found if name.partition(".")[0] not in own | {"lessonkit"})
