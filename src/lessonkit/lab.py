"""Opens JupyterLab on a lesson: offline, without prompts, and with the URL printed where no browser opens."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Any

from lessonkit.course import Lesson, LessonError

FIRST_PORT = 8888
LOOK_SECONDS = 0.1
SILENT = {
    "Application.log_level": "ERROR",
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
    "ServerApp.port_retries": "0",
    "KernelManager.transport_encryption": "auto",
}


def open_lab(lesson: Lesson) -> None:
    """Open the lesson in JupyterLab: in the one that runs on this course, or in a new one, until Ctrl-C.

    Raises LessonError when JupyterLab cannot be started.
    """
    layouts = lesson.work.parent / ".jupyter"
    page = f"lab/workspaces/{_lay_out(lesson, layouts)}"
    running = find_lab(lesson.work.parent)
    if running is None:
        _run(lesson, page, layouts)
        return
    address = f"{running['url']}{page}?token={running['token']}"
    print("JupyterLab runs already and shows this lesson at this address:")
    print(f"  {address}")
    if has_browser():
        webbrowser.open(address)


def stop_lab(work: Path) -> bool:
    """End the JupyterLab that shows `work`; False where none runs."""
    from jupyter_server.serverapp import shutdown_server

    running = find_lab(work)
    return running is not None and bool(shutdown_server(running))  # type: ignore[no-untyped-call]


def find_lab(work: Path) -> dict[str, Any] | None:
    """What Jupyter knows of the server whose files are those of `work`; None where none runs."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        if Path(server["root_dir"]).resolve() == work.resolve():
            return dict(server)
    return None


def _run(lesson: Lesson, page: str, layouts: Path) -> None:
    port, token = _free_port(), secrets.token_hex(16)
    options = SILENT | {
        "LabApp.app_settings_dir": str(Path(__file__).with_name("jupyter")),
        "ServerApp.root_dir": str(lesson.work.parent),
        "ServerApp.port": str(port),
        "LabApp.default_url": f"/{page}",
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    if not has_browser():
        command.append("--no-browser")
    environment = os.environ | {
        "JUPYTER_TOKEN": token,
        "JUPYTERLAB_WORKSPACES_DIR": str(layouts),
    }
    print("JupyterLab is starting …", flush=True)
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise LessonError(f"JupyterLab could not be started ({error.strerror}). Try: uv sync") from error
    try:
        if _answers(port, process):
            print(
                "It is in your browser. If not, open this address:"
                if has_browser()
                else "Open this address in a browser:"
            )
            print(f"  http://localhost:{port}/{page}?token={token}")
            print(
                "It runs until you press Ctrl-C here, or until `uv run lesson stop`; your files are saved all the same.",
                flush=True,
            )
        status = process.wait()
    except KeyboardInterrupt:
        process.wait()
        return
    if status not in (0, 130, -2, -15):
        raise LessonError(
            f"JupyterLab ended with status {status}. Its last lines above say why; without it, open the notebook "
            "in another editor and use: uv run lesson check"
        )


def _answers(port: int, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until JupyterLab listens; False when it ended before."""
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _lay_out(lesson: Lesson, layouts: Path) -> str:
    """Write JupyterLab's layout of a lesson (notebook left, main.py right) unless the learner has one.

    Returns the layout's name, which is part of the address.
    """
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    notebook, editor = f"{lesson.name}/{lesson.notebook.name}", f"{lesson.name}/main.py"
    panes = [f"notebook:{notebook}", f"editor:{editor}"]
    children = [{"type": "tab-area", "currentIndex": 0, "widgets": [pane]} for pane in panes]
    dock = {"type": "split-area", "orientation": "horizontal", "sizes": [0.55, 0.45], "children": children}
    side: dict[str, Any] = {"collapsed": True, "current": None, "widgets": []}
    layout = {"main": {"dock": dock, "current": panes[0]}, "left": side, "right": side}
    data: dict[str, Any] = {
        "layout-restorer:data": layout,
        panes[0]: {"data": {"path": notebook, "factory": "Notebook"}},
        panes[1]: {"data": {"path": editor, "factory": "Editor"}},
    }
    manager = WorkspacesManager(str(layouts))
    if lesson.name not in {known["metadata"]["id"] for known in manager.list_workspaces()}:
        manager.save(lesson.name, json.dumps({"data": data, "metadata": {"id": lesson.name}}))
    return lesson.name


def _free_port() -> int:
    """The first free port on this machine from `FIRST_PORT` on; any free one when a hundred are taken."""
    for port in (*range(FIRST_PORT, FIRST_PORT + 100), 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LessonError("No free port was found for JupyterLab. Close another server, then try again.")


def has_browser() -> bool:
    """Whether this machine has a browser that can be opened."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
