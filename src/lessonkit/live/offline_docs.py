"""`/docs` and `/redoc` without the internet: their scripts come from this machine, not from a CDN."""

import json
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import fastapi.applications
import fastapi_offline
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Swagger UI and ReDoc, as their makers publish them
FILES = Path(str(fastapi_offline.__file__)).with_name("static")
PREFIX = "/_lesson"
# A page may load from the server that it came from and from nowhere else; frames of it are welcome.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
# A page that is open follows a save that changes the documentation; what was typed survives every other save.
FOLLOW = """<script>
(() => {
  let known = %s;
  setInterval(async () => {
    const version = await fetch("%s/version").then((reply) => reply.ok ? reply.text() : null).catch(() => null);
    if (version && known && version !== known) location.reload();
    known = version || known;
  }, 1000);
})();
</script>"""

VERSION: ContextVar[Callable[[], str]] = ContextVar("version", default=lambda: "")  # of the app that answers
_root: ContextVar[str] = ContextVar("root", default="")


class OfflineDocs:
    """An ASGI layer that serves the scripts of the two pages under `PREFIX`, and passes all else on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._files = StaticFiles(directory=FILES)
        use_local_files()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        root = scope.get("root_path", "")
        path = scope["path"].removeprefix(root)
        if path.startswith(f"{PREFIX}/files/"):
            inside = {**scope, "root_path": f"{root}{PREFIX}/files", "path": f"{root}{path}"}
            await self._files(inside, receive, send)
            return
        _root.set(root)
        await self._app(scope, receive, _with_policy(send))


def use_local_files() -> None:
    """From now on FastAPI's two pages name the files under `PREFIX`; FastAPI looks the makers up at each request."""
    pages = (
        ("get_swagger_ui_html", get_swagger_ui_html, _swagger_files),
        ("get_redoc_html", get_redoc_html, _redoc_files),
    )
    for name, make, files in pages:
        setattr(fastapi.applications, name, partial(_page, make, files))


def _page(make: Any, files: Any, **options: Any) -> HTMLResponse:
    root = f"{_root.get()}{PREFIX}"
    page: HTMLResponse = make(**options | files(f"{root}/files"))
    follow = FOLLOW % (json.dumps(VERSION.get()()), root)
    html = bytes(page.body).decode().replace("</body>", f"{follow}</body>")
    return HTMLResponse(html)


def _swagger_files(files: str) -> dict[str, str]:
    return {
        "swagger_js_url": f"{files}/swagger-ui-bundle.js",
        "swagger_css_url": f"{files}/swagger-ui.css",
        "swagger_favicon_url": f"{files}/favicon.png",
    }


def _redoc_files(files: str) -> dict[str, Any]:
    return {
        "redoc_js_url": f"{files}/redoc.standalone.js",
        "redoc_favicon_url": f"{files}/favicon.png",
        "with_google_fonts": False,
    }


def _with_policy(send: Send) -> Send:
    async def send_with_policy(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "").startswith("text/html"):
                headers.setdefault("content-security-policy", POLICY)
        await send(message)

    return send_with_policy
