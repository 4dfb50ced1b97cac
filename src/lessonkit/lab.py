"""Opens JupyterLab on a lesson: offline, without prompts, and with the URL printed where no browser opens."""

import os
import subprocess
import sys
import webbrowser

from lessonkit.course import Lesson, LessonError

SILENT = {
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
}


def open_lab(lesson: Lesson) -> None:
    """Run JupyterLab on the lesson's notebook until it is stopped with Ctrl-C.

    Raises LessonError when JupyterLab cannot be started.
    """
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={lesson.work.parent}"]
    command += [f"--LabApp.default_url=/lab/tree/{lesson.name}/{lesson.notebook.name}"]
    command += [f"--{name}={value}" for name, value in SILENT.items()]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    if not _browser():
        command.append("--no-browser")
        print("No browser can be opened from here: open the address with `token=` that comes below.")
    print("JupyterLab runs until you press Ctrl-C in this terminal.", flush=True)
    environment = os.environ | {"JUPYTERLAB_WORKSPACES_DIR": str(lesson.work.parent / ".jupyter")}
    try:
        status = subprocess.run(command, env=environment, check=False).returncode
    except OSError as error:
        raise LessonError(f"JupyterLab could not be started ({error.strerror}). Try: uv sync") from error
    except KeyboardInterrupt:
        return
    if status not in (0, 130, -2):
        raise LessonError(
            f"JupyterLab ended with status {status}. Its last lines above say why; without it, open the notebook "
            "in another editor and use: uv run lesson check"
        )


def _browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
