"""The learner's own copies under `work/`: starting a lesson, updating it, resetting it, bringing it back.

Nothing that was in a learner's file is ever overwritten. A file that has to make room is first moved
(not copied) into `work/backups/NN_slug/STAMP/`, so even a save that lands at that very moment survives.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lessonkit.course import Lesson, LessonError
from lessonkit.files import explained, locked, write_atomically

IGNORED = {"__pycache__"}
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


@dataclass(frozen=True)
class Started:
    """What `start` or `reset` did, by file name; `backup` is where the former files are, if any moved."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    backup: Path | None = None
    earlier: Path | None = None


def given_files(lesson: Lesson) -> dict[str, Path]:
    """What a lesson gives a learner: names in the working folder, and the tracked files they come from."""
    found = {
        path.relative_to(lesson.starter).as_posix(): path
        for path in sorted(lesson.starter.rglob("*"))
        if path.is_file()
        and path != lesson.talk
        and not IGNORED.intersection(path.relative_to(lesson.starter).parts)
    }
    if lesson.notebook.is_file():
        found[lesson.notebook.name] = lesson.notebook
    return found


def given_contents(lesson: Lesson) -> dict[str, bytes]:
    """What the given files hold as a learner receives them: the notebook also names its kernel.

    The tracked notebook names none; without one JupyterLab would ask for it before the first cell.
    """
    contents = {name: path.read_bytes() for name, path in given_files(lesson).items()}
    if lesson.notebook.name in contents:
        notebook = json.loads(contents[lesson.notebook.name])
        notebook["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
        text = json.dumps(notebook, indent=1, ensure_ascii=False)
        contents[lesson.notebook.name] = f"{text}\n".encode()
    return contents


def start(lesson: Lesson) -> Started:
    """Put the lesson's files into its working folder.

    A file that is there already stays as it is, unless nobody touched it and the course has a newer one.
    Raises LessonError when the folder cannot be written.
    """
    with explained(f"Starting {lesson.name}"), locked(lesson.work.parent):
        given, known = given_contents(lesson), _handed_out(lesson)
        created, updated, kept, newer = [], [], [], []
        for name, data in given.items():
            path = lesson.work / name
            if not os.path.lexists(path):
                created.append(name)
            elif not path.is_file() or _digest(path.read_bytes()) != known.get(name):
                kept.append(name)
                if known.get(name) not in (None, _digest(data)):
                    newer.append(name)
            elif known[name] != _digest(data):
                updated.append(name)
        earlier = _latest_backup(lesson) if created else None
        backup = _replace(lesson, [*created, *updated], given)
        return Started(tuple(created), tuple(updated), tuple(kept), tuple(newer), backup, earlier)


def reset(lesson: Lesson, to: str | None = None) -> Started:
    """Bring every given file back to the course's, or to the backup called `to`.

    Files of the learner's own making stay. Raises LessonError for an unknown backup, or when the folder
    cannot be written; then nothing has changed.
    """
    with explained(f"Resetting {lesson.name}"), locked(lesson.work.parent):
        contents = given_contents(lesson) if to is None else _contents_of(backup_folder(lesson), to)
        changed = [
            name
            for name, data in contents.items()
            if not (lesson.work / name).is_file() or (lesson.work / name).read_bytes() != data
        ]
        backup = _replace(lesson, changed, contents, note=to is None)
        return Started(updated=tuple(changed), backup=backup)


def place(lesson: Lesson, contents: Mapping[str, str], replaceable: Container[str] = ()) -> Path | None:
    """Make files of the working folder hold these texts; returns the backup of what had to make room, if anything.

    A text of `replaceable` is not worth a backup. Raises LessonError when the folder cannot be written.
    """
    with explained(f"Changing {lesson.name}"), locked(lesson.work.parent):
        there = {
            name: path.read_text(encoding="utf-8", errors="replace")
            for name in contents
            if (path := lesson.work / name).is_file()
        }
        worth = [name for name, text in there.items() if text not in replaceable and text != contents[name]]
        data = {name: text.encode() for name, text in contents.items()}
        backup = _replace(lesson, worth, data, note=False)
        for name in contents:
            if name not in worth and there.get(name) != contents[name]:
                write_atomically(lesson.work / name, data[name])
        return backup


def clear(lesson: Lesson) -> Path | None:
    """Move the whole working folder of a lesson into a new backup; returns it, or None where there was no folder.

    `start` gives fresh files afterwards. Raises LessonError when the folder cannot be moved.
    """
    with explained(f"Clearing {lesson.name}"), locked(lesson.work.parent):
        if not lesson.work.is_dir():
            return None
        backup = _new_backup(lesson)
        backup.parent.mkdir(parents=True, exist_ok=True)
        os.rename(lesson.work, backup)
        return backup


def backup_folder(lesson: Lesson) -> Path:
    return lesson.work.parent / "backups" / lesson.name


def backups(lesson: Lesson) -> list[str]:
    """The names of a lesson's backups, oldest first."""
    folder = backup_folder(lesson)
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _contents_of(folder: Path, name: str) -> dict[str, bytes]:
    source = folder / name
    known = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if name not in known or not source.is_dir():
        raise LessonError(
            f"There is no backup {name!r} of this lesson. It has: {', '.join(known) or 'none'}."
        )
    return {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in sorted(source.rglob("*"))
        if path.is_file()
    }


def _replace(
    lesson: Lesson, names: Iterable[str], contents: dict[str, bytes], note: bool = True
) -> Path | None:
    """Make `names` in the working folder hold `contents`, moving what is there into a new backup.

    The new bytes are all on the disk before the first old file moves; if placing them fails, they are
    taken away again and the old files move back.
    """
    names = list(names)
    if not names:
        return None
    lesson.work.mkdir(parents=True, exist_ok=True)
    stage = lesson.work.parent / ".new" / f"{lesson.name}-{os.getpid()}"
    shutil.rmtree(stage, ignore_errors=True)
    moved: list[tuple[Path, Path]] = []
    placed: list[tuple[Path, bytes]] = []
    backup = _new_backup(lesson)
    try:
        for name in names:
            write_atomically(stage / name, contents[name])
        if note:
            _hand_out(lesson, {name: _digest(contents[name]) for name in names})
        for name in names:
            path = lesson.work / name
            if os.path.lexists(path):
                saved = backup / name
                saved.parent.mkdir(parents=True, exist_ok=True)
                os.rename(path, saved)
                moved.append((path, saved))
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(stage / name, path)
            placed.append((path, contents[name]))
    except BaseException:
        for path, data in placed:
            if path.read_bytes() == data:
                path.unlink()
        for path, saved in reversed(moved):
            os.replace(saved, path)
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return backup if moved else None


def _new_backup(lesson: Lesson) -> Path:
    return backup_folder(lesson) / datetime.now().strftime("%Y%m%d-%H%M%S-%f")


def _latest_backup(lesson: Lesson) -> Path | None:
    names = backups(lesson)
    return backup_folder(lesson) / names[-1] if names else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _note(lesson: Lesson) -> Path:
    return lesson.work.parent / ".handed_out" / f"{lesson.name}.json"


def _handed_out(lesson: Lesson) -> dict[str, str]:
    """The digest of each file as the learner last received it; a file without one counts as touched."""
    try:
        noted = json.loads(_note(lesson).read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in noted.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _hand_out(lesson: Lesson, digests: dict[str, str]) -> None:
    text = json.dumps(_handed_out(lesson) | digests, indent=2)
    write_atomically(_note(lesson), text.encode("utf-8"))
