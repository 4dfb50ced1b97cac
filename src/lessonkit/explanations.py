"""An exception in words: which of the learner's lines it came from, what it means, what to do next."""

import re
import sys
import traceback
from pathlib import Path
from types import FrameType

from lessonkit.report import Problem
from lessonkit.targets import Target

SLIPS = ("NameError", "UnboundLocalError", "ImportError", "ModuleNotFoundError")


def learner_line(
    error: BaseException, folder: Path, *, at_the_margin: bool = False
) -> tuple[Path, int, str] | None:
    """The last line in `folder` that an exception passed through: file, number, text.

    `at_the_margin` leaves the lines of functions and classes out.
    """
    found = None
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if at_the_margin and frame.name != "<module>":
            continue
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
    """An exception in words, with the learner's own line: `TypeError: … (main.py line 12: x = 1)`.

    Where it was raised deeper down, by what that line called, it says `called from main.py line 12`.
    """
    if isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__} with {describe(error.exceptions[0], folder)}"
    text = f"{type(error).__name__}: {_first_words(error)}".rstrip(": ")
    place = learner_line(error, folder)
    if place is None:
        return text
    path, line, code = place
    raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    called = "" if raised_in.is_relative_to(folder) else "called from "
    return f"{text} ({called}{path.name} line {line}: {code})"


def is_slip(crash: str) -> bool:
    """Whether a crash (as `describe` tells it) is a slip in the learner's own line, whatever was sent."""
    return crash.startswith(SLIPS) and re.search(r" \(\S+ line \d", crash) is not None


def _first_words(error: BaseException) -> str:
    """What an exception says first; for Pydantic's and FastAPI's validation errors, their first error."""
    try:
        first = error.errors()[0]  # type: ignore[attr-defined]
        place = ".".join(str(part) for part in first["loc"])
        if place == "response" and first.get("input", "") is None:
            return "the endpoint returned None; is a `return` missing?"
        return f"{place}: {first['msg']}"
    except (AttributeError, LookupError, TypeError):
        lines = [line.strip() for line in str(error).strip().splitlines()] or [""]
        return (
            f"{lines[0].rstrip(':')}: {lines[-1]}" if lines[0].endswith(":") and len(lines) > 1 else lines[0]
        )


def explain(error: BaseException, target: Target) -> Problem:
    """The sentence for whatever was raised while main.py ran."""
    if isinstance(error, SyntaxError):
        return _explain_syntax(error, target)
    # A line that ends the program is meant so where it stands; the call at the margin is not.
    ends = isinstance(error, SystemExit | KeyboardInterrupt)
    place = learner_line(error, target.folder, at_the_margin=ends)
    file, line, code = place or (target.main, None, "")
    at = f"{file.name} line {line}" if line else file.name
    kind, step = "exception", "Mend that line and save."
    says = f"{at} raised {type(error).__name__}: {_first_words(error) or 'no message'}"
    if isinstance(error, ModuleNotFoundError):
        kind = "import"
        says = f"{at} imports `{error.name}`, and there is no module of that name"
        step = "Look at its spelling. A file that the lesson gives comes back with: uv run lesson start"
    elif isinstance(error, ImportError):
        kind, says = "import", f"{at}: {error.msg.split(' (')[0]}"
        step = "Look at the spelling of that name; the lesson's notebook shows the imports."
    elif ends:
        kind, says = "exit", f"{at} ends the program while it is being imported"
        step = 'Take that line out, or put it under: if __name__ == "__main__":'
    elif isinstance(error, EOFError):
        says = f"{at} waits for something to be typed, and nobody can type while it is imported"
        step = "Take input() out: what an endpoint needs comes with the request."
    elif isinstance(error, MemoryError):
        kind, says = "memory", f"{at} took more memory than a check may use"
        step = "Look for something very large that is made when the file is imported."
    elif isinstance(error, NameError) and error.name:
        says = f"{at} uses `{error.name}` before anything has that name"
        step = f"Import or define `{error.name}` above that line; look at its spelling."
    if type(error).__name__ == "FastAPIError" and "Depends" not in code:
        step = (
            "Look at the types of the parameters below that decorator: an object of your own, such as a client, "
            "comes with Annotated[…, Depends(…)]."
        )
    if code.startswith("class "):
        step = "Mend the class that begins there: one of the lines below it is meant."
    if code and kind != "import":
        says = f"{says.rstrip('.')}: `{code}`"
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
