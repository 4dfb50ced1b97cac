"""Loads a learner's main.py, and says in one sentence what is wrong with one that does not load."""

import importlib.util
import io
import sys
import tokenize
import traceback
from importlib.machinery import FileFinder, PathFinder, SourceFileLoader
from pathlib import Path
from types import FrameType, ModuleType

from fastapi import APIRouter, FastAPI

from lessonkit.report import Problem
from lessonkit.targets import Target

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


def load(target: Target) -> ModuleType:
    """The target's main.py as the module `main`, with an `app` that is a FastAPI application.

    The module stands in `sys.modules` while it runs, and its folder comes first on `sys.path`, as with
    `fastapi dev main.py`. Raises LoadFailure for anything that goes wrong.
    """
    _refuse_unreadable(target)
    _refuse_shadows(target.folder)
    _forget_earlier()
    folder = str(target.folder)
    sys.path.insert(0, folder)
    sys.path_importer_cache[folder] = FileFinder(folder, (FreshLoader, [".py"]))
    loader = FreshLoader("main", str(target.main))
    spec = importlib.util.spec_from_file_location("main", target.main, loader=loader)
    if spec is None:
        raise _failure(target, "missing", "cannot be read", "Look at its permissions.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["main"] = module
    try:
        loader.exec_module(module)
    except BaseException as error:
        raise LoadFailure(_explain(error, target)) from None
    _refuse_wrong_app(module, target)
    return module


def learner_line(error: BaseException, folder: Path) -> tuple[Path, int, str] | None:
    """The last line in `folder` that an exception passed through: file, number, text."""
    found = None
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(folder) and frame.lineno:
            found = (path, frame.lineno, (frame.line or "").strip())
    return found


def running_line(folder: Path) -> tuple[Path, int, str] | None:
    """The line in `folder` that some thread of this process is at right now."""
    for frame in sys._current_frames().values():
        place: FrameType | None = frame
        while place is not None:
            path = Path(place.f_code.co_filename)
            if path.is_relative_to(folder):
                text = path.read_text(encoding="utf-8", errors="replace").splitlines()
                line = text[place.f_lineno - 1].strip() if place.f_lineno <= len(text) else ""
                return (path, place.f_lineno, line)
            place = place.f_back
    return None


def describe(error: BaseException, folder: Path) -> str:
    """An exception in words, with the learner's own line: `TypeError: … (main.py line 12: "x = 1")`."""
    text = f"{type(error).__name__}: {_first_words(error)}".rstrip(": ")
    place = learner_line(error, folder)
    if place is None:
        return text
    path, line, code = place
    return f"{text} ({path.name} line {line}: {code})"


def _first_words(error: BaseException) -> str:
    """What an exception says first; for Pydantic's and FastAPI's validation errors, their first error."""
    try:
        first = error.errors()[0]  # type: ignore[attr-defined]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    except (AttributeError, LookupError, TypeError):
        return str(error).strip().split("\n")[0]


def _forget_earlier() -> None:
    """Drop a `main` loaded before and what lay beside it: another lesson may have files of the same name."""
    earlier = sys.modules.pop("main", None)
    if earlier is None or not getattr(earlier, "__file__", None):
        return
    folder = Path(str(earlier.__file__)).parent
    sys.path[:] = [entry for entry in sys.path if entry != str(folder)]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_relative_to(folder):
            del sys.modules[name]


def _refuse_unreadable(target: Target) -> None:
    if not target.main.is_file():
        start = (
            "Run: uv run lesson start"
            if target.name == "work"
            else "Put the file there, or choose another target."
        )
        raise _failure(target, "missing", "is not there", start, whole_path=True)
    try:
        data = target.main.read_bytes()
    except OSError as error:
        raise _failure(
            target, "unreadable", f"cannot be read ({error.strerror})", "Look at its permissions."
        ) from None
    if not data.strip():
        raise _failure(
            target, "empty", "is empty", "Undo in your editor, or bring the starter back: uv run lesson reset"
        )
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


def _refuse_shadows(folder: Path) -> None:
    """A file named like a package hides the package from everything that imports it."""
    elsewhere = [entry for entry in sys.path if entry and Path(entry) != folder]
    for path in sorted(folder.glob("*.py")) + sorted(folder.glob("*/__init__.py")):
        name = path.parent.name if path.name == "__init__.py" else path.stem
        if name in HARMLESS_NAMES or not name.isidentifier():
            continue
        if name in sys.stdlib_module_names or PathFinder.find_spec(name, elsewhere) is not None:
            shown = f"{name}.py" if path.stem == name else f"The folder {name}"
            raise LoadFailure(
                Problem(
                    "shadow",
                    f"{shown} beside main.py has the name of the package `{name}`, and Python would import it instead.",
                    "Rename it; nothing else has to change.",
                    str(path),
                )
            )


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


def _explain(error: BaseException, target: Target) -> Problem:
    """The sentence for whatever was raised while main.py ran."""
    if isinstance(error, SyntaxError):
        return _explain_syntax(error, target)
    place = learner_line(error, target.folder)
    file, line, code = place or (target.main, None, "")
    at = f"{file.name} line {line}" if line else file.name
    kind, step = "exception", "Mend that line and save."
    says = f"{at} raised {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
    if isinstance(error, ModuleNotFoundError):
        kind = "import"
        says = f"{at} imports `{error.name}`, and there is no module of that name"
        step = "Look at its spelling. A file that the lesson gives comes back with: uv run lesson start"
    elif isinstance(error, ImportError):
        kind, says = "import", f"{at}: {error.msg.split(' (')[0]}"
        step = "Look at the spelling of that name; the lesson's notebook shows the imports."
    elif isinstance(error, SystemExit | KeyboardInterrupt):
        kind, says = "exit", f"{at} ends the program while it is being imported"
        step = 'Take that line out, or put it under: if __name__ == "__main__":'
    elif isinstance(error, MemoryError):
        kind, says = "memory", f"{at} took more memory than a check may use"
        step = "Look for something very large that is made when the file is imported."
    elif isinstance(error, NameError) and error.name:
        says = f"{at} uses `{error.name}` before anything has that name"
        step = f"Import or define `{error.name}` above that line; look at its spelling."
    if code:
        says += f": `{code}`" if kind not in ("import",) else ""
    return Problem(kind, f"{says}.", step, str(file), line)


def _explain_syntax(error: SyntaxError, target: Target) -> Problem:
    file = Path(error.filename) if error.filename and Path(error.filename).is_file() else target.main
    code = (error.text or "").strip()
    shown = f": `{code}`" if code else ""
    return Problem(
        "syntax",
        f"{file.name} line {error.lineno} is not valid Python ({error.msg}){shown}.",
        "Mend that line, or the one above it, and save.",
        str(file),
        error.lineno,
    )


def _failure(target: Target, kind: str, says: str, step: str, whole_path: bool = False) -> LoadFailure:
    shown = target.main.name
    if whole_path:
        shown = f"{target.main.parent.name}/{shown}"
    return LoadFailure(Problem(kind, f"{shown} {says}.", step, str(target.main)))
