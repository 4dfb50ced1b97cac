"""Runs a lesson's notebook as a learner would: a real kernel, in a folder with a main.py beside it."""

import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from lessonkit.course import Course, Lesson, LessonError
from lessonkit.runner import preload
from lessonkit.targets import open_target

CELL_SECONDS = 120
LEFT_OUT = ("__pycache__", "README.md", "talk.toml", ".venv", ".git", ".ipynb_checkpoints")

_folders: set[Path] = set()  # inside a kernel: where earlier notebooks ran


class Kernel:
    """A kernel that runs one notebook after another, made as good as new before each; `close()` ends it.

    A new kernel, and all that a lesson's first check has to load in it, take longer than most notebooks.
    """

    def __init__(self) -> None:
        from jupyter_client.manager import AsyncKernelManager

        self._manager = AsyncKernelManager(kernel_name="python3", transport_encryption="auto")

    def run(self, notebook: Any, folder: Path, root: Path) -> None:
        """Execute `notebook` in place, with `folder` as the current one; `root` is the course's."""
        from nbformat import v4

        prologue = f"from {__name__} import as_new\nas_new({str(folder)!r}, {str(root)!r})"
        opening = v4.new_notebook(cells=[v4.new_code_cell(prologue)])  # type: ignore[no-untyped-call]
        for part in (opening, notebook):
            self._client(part, allow_errors=part is notebook).execute(env=_own_environment())

    def close(self) -> None:
        """End the kernel."""
        from nbclient.util import run_sync

        if self._manager.has_kernel:
            run_sync(self._manager.shutdown_kernel)(now=True)

    def _client(self, notebook: Any, **options: Any) -> Any:
        from nbclient import NotebookClient

        return NotebookClient(notebook, km=self._manager, timeout=CELL_SECONDS, **options)


def run_notebook(lesson: Lesson, target: str, kernel: Kernel | None = None) -> dict[str, str]:
    """Execute the notebook beside the main.py of `target`; returns what each code cell showed, as text, by id.

    Runs in `kernel`, or in a new one. A cell that raises is shown as its exception's name and message,
    with `error: ` before it.
    """
    notebook = execute(lesson, target, kernel)
    return {cell["id"]: _shown(cell) for cell in notebook.cells if cell["cell_type"] == "code"}


def execute(lesson: Lesson, target: str, kernel: Kernel | None = None) -> Any:
    """The lesson's notebook with its outputs, run beside a copy of the main.py of `target`, in `kernel` or a new one.

    Raises LessonError for an unknown target, and for one without a main.py.
    """
    import nbformat

    notebook = nbformat.read(lesson.notebook, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="lesson-") as scratch, open_target(lesson, target) as opened:
        if not opened.main.is_file():
            raise LessonError(f"There is no main.py in {opened.folder}, and the notebook runs beside one.")
        folder = Path(scratch).resolve() / lesson.name
        shutil.copytree(opened.folder, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        if opened.main.name != "main.py":
            shutil.copyfile(opened.main, folder / "main.py")
        used = kernel or Kernel()
        try:
            used.run(notebook, folder, lesson.root)
        finally:
            if kernel is None:
                used.close()
    return notebook


def _own_environment() -> dict[str, str]:
    """This process's variables, but for those that a run which starts just now sets for its child."""
    passing = ("PYTHONSAFEPATH", "LESSONKIT_PRELOAD")
    return {name: value for name, value in os.environ.items() if name not in passing}


def as_new(folder: str, root: str) -> None:
    """Called inside a kernel before a notebook: forget what an earlier one left, and go to `folder`."""
    from IPython import get_ipython

    from lessonkit.live import stop_all

    stop_all()

    os.chdir(folder)
    environment = _environment()
    os.environ.clear()
    os.environ.update(environment)
    for name, module in list(sys.modules.items()):
        if _folders & set(Path(getattr(module, "__file__", None) or "/").parents):
            del sys.modules[name]
    _folders.add(Path(folder))
    preload(Course(Path(root)).lessons())
    get_ipython().run_line_magic("reset", "-f")
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@cache
def _environment() -> dict[str, str]:
    return dict(os.environ)


def _shown(cell: dict[str, object]) -> str:
    texts = []
    outputs = cell["outputs"]
    for output in outputs if isinstance(outputs, list) else []:
        if output["output_type"] == "error":
            texts.append(f"error: {output['ename']}: {output['evalue']}")
        elif output["output_type"] == "stream":
            texts.append(output["text"])
        else:
            texts.append(output["data"].get("text/plain", ""))
    return "\n".join(texts)
