"""Runs a lesson's notebook as a learner would: a real kernel, in a folder with a main.py beside it."""

import shutil
import tempfile
from pathlib import Path

from lessonkit.course import Lesson
from lessonkit.targets import open_target

CELL_SECONDS = 120


def run_notebook(lesson: Lesson, target: str) -> dict[str, str]:
    """Execute the notebook beside the main.py of `target`; returns what each code cell showed, as text, by id.

    A cell that raises is shown as its exception's name and message, with `error: ` before it.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(lesson.notebook, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="lesson-") as scratch, open_target(lesson, target) as opened:
        folder = Path(scratch).resolve() / lesson.name
        shutil.copytree(opened.folder, folder, ignore=shutil.ignore_patterns("__pycache__", "README.md"))
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute()
    return {cell["id"]: _shown(cell) for cell in notebook.cells if cell["cell_type"] == "code"}


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
