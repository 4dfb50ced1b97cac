"""One server, many apps: each save's app takes the place of the one before, or its error does."""

import asyncio
import hashlib
import json
import logging
import traceback
from html import escape
from typing import Any

import uvicorn
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.lifespan.on import LifespanOn

from lessonkit.explanations import describe
from lessonkit.live.offline_docs import FOLLOW, PREFIX, VERSION
from lessonkit.loader import LoadFailure, load
from lessonkit.targets import Target

log = logging.getLogger("uvicorn.error")


class Swap:
    """An ASGI app that is whatever `target` last loaded as; where it does not load, it answers 503 and says why."""

    def __init__(self, target: Target, trouble: str = "") -> None:
        self.trouble = trouble
        self.loads = 0
        self._first = asyncio.Event()  # set once there is an app, or a reason why there is none
        if trouble:
            self._first.set()
        self._target = target
        self._app: Any = None
        self._lifespan: LifespanOn | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("a swap runs the lifespans of its apps itself")
        await self._first.wait()
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path == f"{PREFIX}/version":
            await PlainTextResponse(self._version())(scope, receive, send)
        elif self._app is None or self._lifespan is None:
            await self._refusal(scope)(scope, receive, send)
        else:
            scope["state"] = self._lifespan.state.copy()
            VERSION.set(self._version)
            await self._app(scope, receive, send)

    async def load(self) -> None:
        """Load the target anew: its lifespan begins, that of the app before ends, and requests go to the new one."""
        old = self._lifespan
        try:
            app = load(self._target).app
            self._lifespan = await _begin(app)
            self._app, self.trouble = app, ""
            log.info("main.py is loaded.")
        except LoadFailure as failure:
            self._app = self._lifespan = None
            self.trouble = failure.problem.text()
        except _StartUpFailed as failure:
            self._app = self._lifespan = None
            says = describe(failure.error, self._target.folder)
            self.trouble = (
                f"The app does not start: {says}.\nMend what runs before the first request, then save."
            )
        except Exception as error:
            self._app = self._lifespan = None
            self.trouble = (
                f"main.py could not be loaded: {describe(error, self._target.folder)}.\nMend it, then save."
            )
        self.loads += 1
        self._first.set()
        if self.trouble:
            log.error(self.trouble)
        if old is not None:
            await old.shutdown()

    async def close(self) -> None:
        """End the lifespan of the app that is served."""
        if self._lifespan is not None:
            await self._lifespan.shutdown()

    def _version(self) -> str:
        """Differs whenever the pages of documentation would: after a load that changed the schema, or failed."""
        if self._app is None:
            return f"trouble {self.loads}"
        try:
            schema = json.dumps(self._app.openapi(), sort_keys=True)
        except Exception:  # the page itself shows what is wrong
            schema = str(self.loads)
        return hashlib.sha256(schema.encode()).hexdigest()[:16]

    def _refusal(self, scope: Scope) -> Response:
        accepts = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        if "text/html" not in accepts:
            return PlainTextResponse(self.trouble + "\n", 503)
        follow = (json.dumps(self._version()), f"{scope.get('root_path', '')}{PREFIX}")
        page = (
            '<!doctype html><html lang="en"><title>main.py does not load</title>'
            '<body style="font-family:sans-serif;margin:2em"><h1>main.py does not load yet</h1>'
            f'<pre style="white-space:pre-wrap">{escape(self.trouble)}</pre>'
            f"<p>This page looks again by itself after each save.</p>{FOLLOW % follow}</body></html>"
        )
        return HTMLResponse(page, 503)


class _StartUpFailed(Exception):
    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


async def _begin(app: ASGIApp) -> LifespanOn:
    """Run the start-up of `app`; raises _StartUpFailed."""
    errors: list[BaseException] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except BaseException as error:
            errors.append(error)
            raise

    lifespan = LifespanOn(uvicorn.Config(noting, lifespan="on", log_config=None, interface="asgi3"))
    lifespan.logger = _quiet
    await lifespan.startup()
    if lifespan.should_exit:
        error = errors[0] if errors else RuntimeError("its lifespan does not begin")
        log.error("".join(traceback.format_exception(error, limit=-3)))
        raise _StartUpFailed(error)
    return lifespan


_quiet = logging.getLogger("lessonkit.lifespan")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False
