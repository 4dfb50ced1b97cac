"""The rules of the course's content. Each is a function from a lesson to the sentences it breaks them with."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from lessonkit.author.notebook_rules import NOTEBOOK_RULES
from lessonkit.course import Lesson
from lessonkit.suite import MOST_HINTS, checks_of

NOT_GIVEN = {"README.md", "main.py", "talk.toml"}
PLACEHOLDERS = {"", "pass", "..."}
TODO = re.compile(r"^\s*# TODO\((\d+)\): ")

Rule = Callable[[Lesson], Iterator[str]]


def every_part_is_there(lesson: Lesson) -> Iterator[str]:
    """A lesson has its five places, and a README that begins with its title."""
    parts = (lesson.readme, lesson.starter / "main.py", lesson.notebook, lesson.solution / "main.py")
    for path in (*parts, lesson.suite, lesson.mistakes):
        if not path.is_file():
            yield f"{path.relative_to(lesson.root).as_posix()} is missing."
    if lesson.readme.is_file() and lesson.title == lesson.name:
        yield f"lessons/{lesson.name}/README.md has no first heading (# Title)."


def nothing_is_left_to_do(lesson: Lesson) -> Iterator[str]:
    """No part of a lesson still says TO DO, the mark that `lesson new` leaves."""
    parts = [
        lesson.readme,
        lesson.starter / "main.py",
        lesson.notebook,
        lesson.suite,
        lesson.mistakes,
        lesson.talk,
    ]
    for path in (*parts, *sorted(lesson.solution.rglob("*.py"))):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for line in text.splitlines():
            if "TO DO" in line:
                yield f"{path.relative_to(lesson.root).as_posix()}: {line.strip()}"


def starter_stands_in_solution(lesson: Lesson) -> Iterator[str]:
    """Apart from TODO comments and placeholders, every starter line stands in the solution, in order."""
    for starter in sorted(lesson.starter.rglob("*.py")):
        name = starter.relative_to(lesson.starter).as_posix()
        solution = lesson.solution / name
        if not solution.is_file():
            yield f"lessons/{lesson.name}/{name} has no counterpart in solutions/{lesson.name}/."
            continue
        remaining = iter(solution.read_text(encoding="utf-8").splitlines())
        for number, line in _lasting_lines(starter):
            if line not in remaining:
                yield f"lessons/{lesson.name}/{name} line {number} does not stand in the solution, in order: {line}"
                break


def given_files_are_the_same(lesson: Lesson) -> Iterator[str]:
    """A file that is given, and holds no step, lies in the solution as it is."""
    for path in sorted(lesson.starter.glob("*")):
        if not path.is_file() or path.name in NOT_GIVEN or "TODO(" in _text(path):
            continue
        other = lesson.solution / path.name
        if not other.is_file() or other.read_bytes() != path.read_bytes():
            yield f"lessons/{lesson.name}/{path.name} is given, and solutions/{lesson.name}/{path.name} is not the same."


def steps_are_numbered(lesson: Lesson) -> Iterator[str]:
    """The starter's TODO comments are numbered 1, 2, 3, …, and there is at least one."""
    lines = _text(lesson.starter / "main.py").splitlines()
    numbers = [int(match[1]) for line in lines if (match := TODO.match(line))]
    if numbers != list(range(1, len(numbers) + 1)) or not numbers:
        yield f"The steps of lessons/{lesson.name}/main.py are numbered {numbers}, not 1, 2, 3, …"
    if any("TODO" in line and not TODO.match(line) and re.search(r"#\s*TODO", line) for line in lines):
        yield f"A TODO of lessons/{lesson.name}/main.py has no number: # TODO(1): …"


def checks_are_complete(lesson: Lesson) -> Iterator[str]:
    """Every check has a title, an operation, one to three hints, and a message on each assert."""
    try:
        declared = {check.name: check for check in checks_of(lesson)} if lesson.suite.is_file() else {}
    except Exception as error:
        yield f"tests/{lesson.suite.name} cannot be imported: {type(error).__name__}: {error}."
        return
    if not declared:
        yield f"tests/{lesson.suite.name} has no check."
    for name in lesson.check_names():
        if name not in declared:
            yield f"{name} has no @task(operation, hints=[…])."
            continue
        check = declared[name]
        if not check.title:
            yield f"{name} has no docstring, whose first line is its title."
        if not 1 <= len(check.task.hints) <= MOST_HINTS:
            yield f"{name} has {len(check.task.hints)} hints, not 1 to {MOST_HINTS}."
        for hint in check.task.hints:
            if re.search(r"\bline \d", hint):
                yield f"A hint of {name} names a line number, which moves: {hint}"
        if check.task.guard is not None and len(check.task.guard.split()) < 4:
            yield f"The guard of {name} does not say why it holds before any work is done."
    for function in ast.walk(ast.parse(_text(lesson.suite))):
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
            yield from _asserts(function)


def _asserts(function: ast.FunctionDef) -> Iterator[str]:
    asserts = [node for node in ast.walk(function) if isinstance(node, ast.Assert)]
    if not asserts:
        yield f"{function.name} asserts nothing."
    for node in asserts:
        called = node.msg.func if isinstance(node.msg, ast.Call) else None
        if not (isinstance(called, ast.Name) and called.id == "expected"):
            yield f"An assert of {function.name} has no expected(…, next_step=…): {ast.unparse(node.test)}"


def suite_leaves_the_code_alone(lesson: Lesson) -> Iterator[str]:
    """A suite reaches the learner's code through fixtures alone, and never sleeps."""
    for node in ast.walk(ast.parse(_text(lesson.suite))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        module = node.module if isinstance(node, ast.ImportFrom) else None
        if "main" in (module, *names):
            yield f"tests/{lesson.suite.name} imports the learner's code; use the fixture `client` or `main`."
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep", "asyncio.sleep"):
            yield f"tests/{lesson.suite.name} sleeps; count, or wait for an event."


RULES: tuple[Rule, ...] = (
    every_part_is_there,
    nothing_is_left_to_do,
    starter_stands_in_solution,
    given_files_are_the_same,
    steps_are_numbered,
    checks_are_complete,
    suite_leaves_the_code_alone,
    *NOTEBOOK_RULES,
)


def _lasting_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The starter's numbered lines without TODO comments (their continuation lines too) and placeholders."""
    in_comment = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        starts = bool(TODO.match(line))
        in_comment = starts or (in_comment and line.lstrip().startswith("#"))
        if not in_comment and line.strip() not in PLACEHOLDERS:
            yield number, line


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
