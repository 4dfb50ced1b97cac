"""Loads a learner's main.py, and says in one sentence what is wrong with one that does not load."""

import importlib.util
import io
import os
import sys
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import FileFinder, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from fastapi import APIRouter, FastAPI

from lessonkit.explanations import explain
from lessonkit.report import Problem
from lessonkit.targets import Target

# What everything here rests on; what is imported later is there for one lesson, or for none.
BASE_PACKAGES = frozenset(name.partition(".")[0] for name in sys.modules)
HARMLESS_NAMES = {"main", "test", "this", "__init__", "__main__", "conftest"}


class LoadFailure(Exception):
    """The target cannot be checked; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text())
        self.problem = problem


class FreshLoader(SourceFileLoader):
    """Compiles from the source every time.

    Byte-code files are keyed on whole seconds and size, so two quick saves would run the older code.
    """

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError("no byte-code cache for learners' files")


class OptimizedLoader(FreshLoader):
    """Compiles as `python -O` does: without `assert`, and with `__debug__` false."""

    def source_to_code(self, data: Any, path: Any, **options: Any) -> CodeType:  # type: ignore[override]
        code: CodeType = compile(data, path, "exec", dont_inherit=True, optimize=1)
        return code


def load(target: Target, *, optimization: int = 0) -> ModuleType:
    """The target's main.py as the module `main`, with an `app` that is a FastAPI application.

    The module stands in `sys.modules` while it runs, and its folder comes first on `sys.path`, as with
    `fastapi dev main.py`. `optimization` 1 compiles it, and what lies beside it, as `python -O` does.
    Raises LoadFailure for anything that goes wrong.
    """
    _refuse_unreadable(target)
    _refuse_shadows(target)
    _forget_earlier()
    folder = str(target.folder)
    kind = OptimizedLoader if optimization else FreshLoader
    sys.path.insert(0, folder)
    sys.path_importer_cache[folder] = FileFinder(folder, (kind, [".py"]))
    loader = kind("main", str(target.main))
    spec = importlib.util.spec_from_file_location("main", target.main, loader=loader)
    if spec is None:
        raise _failure(target, "missing", "cannot be read", "Look at its permissions.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["main"] = module
    try:
        loader.exec_module(module)
    except BaseException as error:
        raise LoadFailure(explain(error, target)) from None
    _refuse_wrong_app(module, target)
    return module


@contextmanager
def modules_of(folder: Path) -> Iterator[None]:
    """Keep the modules that were loaded from `folder`: afterwards they are what they were before."""
    before = {name: module for name, module in sys.modules.copy().items() if lies_in(module, folder)}
    path, finder = sys.path[:], sys.path_importer_cache.get(str(folder))
    try:
        yield
    finally:
        for name in [name for name, module in sys.modules.copy().items() if lies_in(module, folder)]:
            del sys.modules[name]
        sys.modules.update(before)
        sys.path[:] = path
        sys.path_importer_cache[str(folder)] = finder


def _forget_earlier() -> None:
    """Drop a `main` loaded before and what lay beside it: another lesson may have files of the same name."""
    earlier = sys.modules.pop("main", None)
    if earlier is None or not getattr(earlier, "__file__", None):
        return
    folder = Path(str(earlier.__file__)).parent
    sys.path[:] = [entry for entry in sys.path if entry != str(folder)]
    for name, module in sys.modules.copy().items():
        if lies_in(module, folder):
            del sys.modules[name]


def lies_in(module: ModuleType, folder: Path) -> bool:
    """Whether a module was loaded from a file below `folder`."""
    file = getattr(module, "__file__", None)
    return bool(file) and str(file).startswith(f"{folder}{os.sep}")


def _refuse_unreadable(target: Target) -> None:
    number = target.folder.name[:2].lstrip("0")  # of the lesson, in its working folder
    if not target.main.is_file():
        if target.name == "work":
            shown, step = f"work/{target.folder.name}/main.py", f"Run: uv run lesson start {number}"
        else:
            shown, step = str(target.main), "Put the file there, or choose another target."
        raise LoadFailure(Problem("missing", f"{shown} is not there.", step, str(target.main)))
    try:
        data = target.main.read_bytes()
    except OSError as error:
        raise _failure(
            target, "unreadable", f"cannot be read ({error.strerror})", "Look at its permissions."
        ) from None
    if not data.strip():
        step = "Undo in your editor."
        if target.name == "work":
            step = f"Undo in your editor, or bring the starter back: uv run lesson reset {number}"
        raise _failure(target, "empty", "is empty", step)
    save_again = "Save it again as UTF-8 (in VS Code: Save with Encoding)."
    if b"\0" in data:
        raise _failure(
            target, "encoding", "holds NUL bytes, so it is not a text that Python can read", save_again
        )
    try:
        data.decode(tokenize.detect_encoding(io.BytesIO(data).readline)[0])
    except (SyntaxError, UnicodeDecodeError):
        raise _failure(
            target, "encoding", "is not saved as UTF-8, which is what Python expects", save_again
        ) from None


def _refuse_shadows(target: Target) -> None:
    """A file named like a package hides the package from everything that imports it.

    That does not matter for a package that the lesson has no use for; one that is loaded already gives way.
    """
    folder = target.folder
    elsewhere = [entry for entry in sys.path if entry and Path(entry) != folder]
    needed = BASE_PACKAGES | sys.stdlib_module_names | {name.partition(".")[0] for name in target.needs}
    for path in sorted(folder.glob("*.py")) + sorted(folder.glob("*/__init__.py")):
        name = path.parent.name if path.name == "__init__.py" else path.stem
        if name in HARMLESS_NAMES or not name.isidentifier():
            continue
        hides = name in sys.stdlib_module_names or PathFinder.find_spec(name, elsewhere) is not None
        if hides and name in needed:
            shown = f"{name}.py" if path.stem == name else f"The folder {name}"
            raise LoadFailure(
                Problem(
                    "shadow",
                    f"{shown} beside main.py has the name of the package `{name}`, and Python would import it instead.",
                    "Rename it; nothing else has to change.",
                    str(path),
                )
            )
        for loaded in (
            [one for one in sys.modules if one == name or one.startswith(f"{name}.")] if hides else ()
        ):
            del sys.modules[loaded]


def _refuse_wrong_app(module: ModuleType, target: Target) -> None:
    missing = object()
    app = getattr(module, "app", missing)
    if isinstance(app, FastAPI):
        return
    others = [name for name, value in vars(module).items() if isinstance(value, FastAPI)]
    if app is missing and others:
        says, step = (
            f"has no `app`; it has `{others[0]}`",
            f"Rename `{others[0]}` to `app`: the checks look for that name.",
        )
    elif app is missing:
        says, step = "has no `app`", "Create it near the top of the file: app = FastAPI()"
    else:
        says = f"has an `app` that is of type {type(app).__name__}, not FastAPI"
        step = "Let `app` be the application: app = FastAPI()"
        if isinstance(app, APIRouter):
            step = "Create app = FastAPI() and add the router to it: app.include_router(router)"
    raise _failure(target, "no_app" if app is missing else "wrong_app", says, step)


def _failure(target: Target, kind: str, says: str, step: str) -> LoadFailure:
    return LoadFailure(Problem(kind, f"{target.main.name} {says}.", step, str(target.main)))
