"""What a lesson's suite is written with: `@task`, `expected`, and two ways to look at an answer."""

import importlib.util
import json
import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import pytest

from lessonkit.course import Lesson

OPERATION = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) (/\S*)$")
MOST_HINTS = 3

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Task:
    """What `@task` says of a check.

    `operation` is the endpoint that it is about ("POST /predict"); the app must have it before the
    check runs. `hints` go from where to look to nearly the code. `guard` is the reason why the check
    may hold before any work is done; None for all others. `in_schema=False` is for an operation that
    is meant to be absent from the OpenAPI schema. `part` is the heading that the check stands under in a
    report; `after` names the part whose checks all have to pass before this one is run.
    """

    operation: str
    hints: tuple[str, ...]
    guard: str | None = None
    in_schema: bool = True
    part: str | None = None
    after: str | None = None


def task(
    operation: str,
    *,
    hints: Sequence[str],
    guard: str | None = None,
    in_schema: bool = True,
    part: str | None = None,
    after: str | None = None,
) -> Callable[[Function], Function]:
    """Mark a test function as a check of `operation`; see `Task` for what goes in.

    Raises ValueError when the operation is not a method and a path.
    """
    if not OPERATION.match(operation):
        raise ValueError(f"an operation is a method and a path, like 'POST /predict'; got {operation!r}")
    mark = pytest.mark.task(Task(operation, tuple(hints), guard, in_schema, part, after))

    def decorate(function: Function) -> Function:
        marked: Function = mark(function)
        return marked

    return decorate


def expected(what: str, *, next_step: str, came_back: str | None = None) -> str:
    """The message of an assert: what the right answer is, and the one thing to do next.

    The kit adds what was sent and what came back, so neither needs to be repeated here; `came_back`
    replaces the latter where the telling part would not be seen in the whole answer.
    """
    message = f"Expected: {_line(what)}\nNext step: {_line(next_step)}"
    return message if came_back is None else f"{message}\nCame back: {_line(came_back)}"


def json_body(reply: httpx2.Response) -> Any:
    """The reply's JSON value; an assertion of its own where the reply holds none."""
    try:
        return reply.json()
    except json.JSONDecodeError:
        raise AssertionError(
            expected(
                "a body that is JSON",
                next_step="Return a model or a dict from the endpoint; FastAPI writes the JSON.",
            )
        ) from None


def error_locations(reply: httpx2.Response) -> list[str]:
    """Where a 422 reply found fault: `["body.text"]`; empty when it is no list of errors."""
    try:
        details = reply.json()["detail"]
        return [".".join(str(part) for part in detail["loc"]) for detail in details]
    except (ValueError, KeyError, TypeError):
        return []


@dataclass(frozen=True)
class Check:
    """A check as its suite declares it, before any run."""

    name: str
    title: str
    task: Task
    starts_processes: bool = False


def checks_of(lesson: Lesson) -> list[Check]:
    """Every check of a lesson, in the suite's order; a test without `@task` is left out.

    Imports the suite, which never imports the learner's code.
    """
    spec = importlib.util.spec_from_file_location(f"suite_{lesson.name}", lesson.suite)
    if spec is None or spec.loader is None:
        return []
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = []
    for name, function in vars(module).items():
        declared = task_of(function) if name.startswith("test_") else None
        if declared is not None:
            marks = {mark.name for mark in getattr(function, "pytestmark", [])}
            found.append(Check(name, title_of(function), declared, "process" in marks))
    return found


def task_of(function: Any) -> Task | None:
    """What `@task` said of a test function; None when it has none."""
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "task":
            declared: Task = mark.args[0]
            return declared
    return None


def title_of(function: Any) -> str:
    """A check's title: the first line of its docstring, without the full stop."""
    text = (getattr(function, "__doc__", None) or "").strip()
    return text.splitlines()[0].rstrip(".") if text else ""


def of_suite(item: pytest.Item, name: str, default: Any) -> Any:
    """What the suite of a check says under a name, at its top level."""
    suite = item.getparent(pytest.Module)
    return getattr(suite.obj if suite else None, name, default)


def serve_command(item: pytest.Item, lesson: Lesson) -> str | None:
    """What serves the lesson's app as a check has it, where the suite names the variables that it takes."""
    names = of_suite(item, "SERVE_WITH", ())
    if not names:
        return None
    variables = " ".join(f"{name}={shlex.quote(os.environ.get(name, ''))}" for name in names)
    return f"{variables} uv run lesson serve {lesson.number}"


def _line(text: str) -> str:
    return " ".join(text.splitlines())
