"""One lesson's target, loaded under guard, for as long as a run of its suite lasts."""

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

from fastapi import APIRouter, FastAPI

from lessonkit import guard
from lessonkit.course import Lesson, LessonError
from lessonkit.deprecations import Deprecation, heard
from lessonkit.explanations import describe
from lessonkit.loader import LoadFailure, load
from lessonkit.report import Problem
from lessonkit.suite import Task
from lessonkit.targets import Target, open_target

Environment = Mapping[str, str | Callable[[], str]]


class MissingOperation(Exception):
    """The app does not have (or show) an operation; the text says what it has, `next_step` what to do."""

    def __init__(self, operation: str, says: str, next_step: str) -> None:
        super().__init__(f"{operation} is {says}")
        self.operation = operation
        self.next_step = next_step


class Session:
    """Opens a target, loads its main.py, and knows what stands in the way (`problem`) if anything does.

    `environment` holds environment variables that are set before main.py is imported, until `close`.
    `deprecations` are the deprecated things that main.py used while it was imported.
    """

    def __init__(self, lesson: Lesson, wanted: str, environment: Environment | None = None) -> None:
        self.lesson = lesson
        self.wanted = wanted
        self.target: Target | None = None
        self.module: ModuleType | None = None
        self.problem: Problem | None = None
        self.deprecations: list[Deprecation] = []
        self.printed = guard.Printed(sys.__stdout__ or sys.stdout)
        self._environment = dict(environment or {})
        self._stack = ExitStack()
        self._seal: guard.Seal | None = None
        self._operations: list[str] | None = None
        self.contract: frozenset[str] = frozenset()  # the operations that the suite names

    @property
    def folder(self) -> Path:
        return self.target.folder if self.target else self.lesson.work

    @property
    def app(self) -> FastAPI:
        app: FastAPI = self.loaded().app
        return app

    def loaded(self) -> ModuleType:
        """The learner's module; RuntimeError when it did not load, which `problem` then explains."""
        if self.module is None:
            raise RuntimeError("the target did not load")
        return self.module

    def open(self) -> None:
        """Load the target. What goes wrong is kept in `problem`; nothing is raised."""
        try:
            self.target = self._stack.enter_context(open_target(self.lesson, self.wanted))
        except LessonError as error:
            sentence, _, step = str(error).partition(". ")
            self.problem = Problem("target", f"{sentence}.", step or "See: uv run lesson list")
            return
        self._stack.callback(_set_environment(self._environment))
        self._stack.callback(guard.limit_memory())
        guard.hold_exits()
        self._stack.callback(guard.release_exits)
        self._seal = guard.Seal()
        try:
            with self.printing(), heard(self.target.folder) as deprecations:
                self.module = load(self.target)
                self.deprecations = deprecations()
            self._operations = self._read_operations()
        except LoadFailure as failure:
            self.problem = failure.problem
        self.problem = self.problem or self.tampering()

    def close(self) -> None:
        self._stack.close()

    @contextmanager
    def printing(self) -> Iterator[None]:
        """While it lasts, what the learner's code prints is kept, passed on, and bounded."""
        before = sys.stdout
        self.printed.beyond = before
        sys.stdout = self.printed
        try:
            yield
        finally:
            if sys.stdout is self.printed:
                sys.stdout = before

    def tampering(self, *, whole: bool = True) -> Problem | None:
        """What the learner's code did that makes a verdict worthless; None when it did nothing of the kind.

        `whole` is as for `Seal.broken`.
        """
        if self.printed.flooded:
            return Problem(
                "printed",
                f"The code printed more than {guard.MOST_PRINTED_CHARACTERS:,} characters.",
                "Take the print out, or print less.",
            )
        changed = self._seal.broken(whole=whole) if self._seal else None
        if changed is None:
            return None
        return Problem(
            "patched",
            f"The code in {self.folder.name} replaces `{changed}`, which the checks themselves use.",
            "Take the line that does it out; the lesson can be solved in your own functions and models.",
        )

    def require(self, declared: Task) -> None:
        """Raise MissingOperation unless the app has the operation that a check is about."""
        if not declared.in_schema:
            return
        has = self._operations or []
        if _plain(declared.operation) in {_plain(operation) for operation in has}:
            return
        if _hidden(self.app, declared.operation):
            step = f"Register it with {_decorator(declared.operation)}, without include_in_schema=False."
            raise MissingOperation(declared.operation, "there, but hidden from the OpenAPI schema", step)
        found = f"your app has: {', '.join(has)}" if has else "your app has no operation yet"
        step = _advice(declared.operation, has, self.loaded(), self.contract)
        raise MissingOperation(declared.operation, f"not registered yet; {found}", step)

    def _read_operations(self) -> list[str]:
        """`["GET /health", …]` from the app's own OpenAPI schema, whose cache is left as it was."""
        app = self.app
        before = app.openapi_schema
        try:
            paths = app.openapi().get("paths", {})
        except Exception as error:
            words = describe(error, self.folder)
            raise LoadFailure(
                Problem(
                    "openapi",
                    f"FastAPI cannot describe this app: {words}.",
                    "Look at the place that it names: an example, a title or version, the type of a parameter or of a return value.",
                    str(self.target.main) if self.target else None,
                )
            ) from None
        finally:
            app.openapi_schema = before
        methods = ("get", "post", "put", "patch", "delete", "head", "options")
        return [
            f"{method.upper()} {path}" for path, item in paths.items() for method in methods if method in item
        ]


def _hidden(app: FastAPI, operation: str) -> bool:
    """Whether the app itself has a route for the operation, which its schema does not show."""
    method, path = operation.split(" ", 1)
    return any(
        _plain(getattr(route, "path", "")) == _plain(path)
        and method in (getattr(route, "methods", None) or ())
        for route in app.routes
    )


def _set_environment(variables: Environment) -> Callable[[], None]:
    """Set environment variables; returns what sets them back."""
    before = {name: os.environ.get(name) for name in variables}
    for name, value in variables.items():
        os.environ[name] = value() if callable(value) else value

    def restore() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return restore


def _plain(operation: str) -> str:
    """Parameters may have any name: `GET /users/{id}` and `GET /users/{user_id}` are the same."""
    return re.sub(r"\{[^}]*\}", "{}", operation)


def _decorator(operation: str) -> str:
    method, path = operation.split(" ", 1)
    return f'@app.{method.lower()}("{path}")'


def _advice(operation: str, has: list[str], module: ModuleType, contract: frozenset[str]) -> str:
    """The next step for an operation that is missing, from what there is instead."""
    method, path = operation.split(" ", 1)
    decorator = _decorator(operation)
    methods = [other.split(" ")[0] for other in has if _plain(other.split(" ", 1)[1]) == _plain(path)]
    if methods:
        return f"{path} answers {' and '.join(methods)} only; it has to answer {method}: {decorator}"
    for other in has:
        other_method, other_path = other.split(" ", 1)
        if other_method == method and other_path.endswith(path) and other not in contract:
            return f"{other_path} has a prefix too many; the path is {path}"
    for name, value in vars(module).items():
        if isinstance(value, APIRouter) and any(getattr(one, "path", "") == path for one in value.routes):
            return f"The router `{name}` has it, and the app does not know the router: app.include_router({name})"
    wanted = {_plain(one.split(" ", 1)[1]) for one in contract}
    others = (other.split(" ", 1)[1] for other in has)
    paths = [other for other in others if _plain(other) not in wanted]
    close = difflib.get_close_matches(path, paths, n=1, cutoff=0.7)
    if close:
        return f"Is {close[0]} meant to be {path}? The path has to match to the letter: {decorator}"
    return f"Write a function under {decorator}"
