"""`serve()`: the learner's app behind a real server, and its documentation inside the notebook."""

import os
from html import escape
from importlib.util import find_spec
from urllib.parse import urlsplit

from lessonkit.course import LessonError
from lessonkit.live import LiveServer
from lessonkit.live import serve as start
from lessonkit.live.handle import USUAL_PORT
from lessonkit.notebook.here import here
from lessonkit.notebook.shown import Shown, sentence
from lessonkit.notebook.waiting import wait_with_a_bar

HEIGHT_PIXELS = 600


class Served(Shown):
    """A running server, shown as a frame with its documentation. `url` is where requests go; `stop()` ends it."""

    def __init__(self, server: LiveServer, page: str) -> None:
        self.url = server.url
        self._server = server
        shown = _seen_by_the_browser(server.url)
        frame = (
            f'<iframe src="{escape(shown)}{escape(page)}" title="Your app: {escape(page)}" '
            f'width="100%" height="{HEIGHT_PIXELS}" style="border:1px solid currentColor"></iframe>'
        )
        whose = "" if server.process else " (started elsewhere)"
        taken = (
            ""
            if server.url.endswith(f":{USUAL_PORT}")
            else f" Port {USUAL_PORT}, which the curl lines of a report name, was taken."
        )
        prints = f"{taken} {server.note}".rstrip() + (
            f" What it prints goes to {server.log.name}." if server.log else ""
        )
        link = (
            f'<a href="{escape(shown)}{escape(page)}" target="_blank">{escape(server.url)}{escape(page)}</a>'
        )
        html = (
            f"<p>Your app is on {link}{whose} and follows every save of main.py.{escape(prints)}</p>{frame}"
        )
        super().__init__(
            html, f"Your app is on {server.url}{page}{whose} and follows every save of main.py.{prints}"
        )

    def stop(self) -> Shown:
        """End the server."""
        self._server.stop()
        return sentence(
            "The server has ended." if self._server.process else "It was started elsewhere: end it there."
        )


def serve(page: str = "/docs", **variables: str) -> Shown:
    """Serve the main.py beside this notebook on a free port and show `page` of it; a save is served within a second.

    `variables` are environment variables that the app finds: `serve(API_KEYS="my-key")`. Called again it shows
    the server that runs already. The server ends with the kernel.
    """
    try:
        at = here()
        log = at.folder / "server.log"
        server = wait_with_a_bar(
            lambda: start(at.lesson, at.folder, log=log, variables=variables),
            lambda: ("Your app is starting", 0, 0),
        )
        return Served(server, page)
    except LessonError as error:
        return sentence(str(error))


def _seen_by_the_browser(url: str) -> str:
    """The address of a server as the browser reaches it: through Jupyter where that lies behind a prefix."""
    prefix = _prefix()
    if prefix == "/" or find_spec("jupyter_server_proxy") is None:
        return url
    return f"{prefix}proxy/{urlsplit(url).port}"


def _prefix() -> str:
    """The path that this kernel's Jupyter server lies under: `/`, or `/user/ada/` on a hub."""
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if hub:
        return hub
    from jupyter_server.serverapp import list_running_servers

    parent = os.environ.get("JPY_PARENT_PID")
    for server in list_running_servers():
        if parent and server["pid"] == int(parent):
            return str(server["base_url"])
    return "/"
