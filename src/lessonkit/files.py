"""Files that must never be half written or lost: atomic writes, a lock, and sentences for what fails."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lessonkit.course import LessonError

LOCK_SECONDS = 10.0


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step: after a crash it holds the old bytes or the new, never a mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """Hold the lock of a `work/` folder, so that two commands never change it at once.

    Raises LessonError when another command holds it for longer than `LOCK_SECONDS`.
    """
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / ".lock", timeout=LOCK_SECONDS):
            yield
    except Timeout:
        raise LessonError(
            "Another lesson command is changing work/ right now. Wait until it is done, then try again."
        ) from None


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn an OSError (a full disk, a read-only folder) into a LessonError that says what was being done."""
    try:
        yield
    except OSError as error:
        path = f" ({error.filename})" if error.filename else ""
        raise LessonError(
            f"{doing} failed: {error.strerror or error}{path}. Nothing of yours was changed or lost; "
            "make room or give yourself write access, then try again."
        ) from error
