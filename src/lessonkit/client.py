"""The `client` of every check: FastAPI's TestClient, which also keeps what was sent and came back."""

import shlex
import threading
from asyncio import CancelledError
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import httpx2
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from lessonkit.report import Exchange

CURL_CHARACTERS = 1_000
SERVED_AT = "http://127.0.0.1:8000"
SHOWN_HEADERS = {
    name.lower(): name for name in ("Content-Type", "Authorization", "Origin", "X-API-Key", "X-Request-ID")
}
JSON = "application/json"


class HandlerExit(RuntimeError):
    """The learner's code ended the program (`sys.exit()`, Ctrl-C) while it answered a request."""


# What escaped from the app while it answered one request. TestClient hands the context of the thread that
# sends on to the task that answers, so requests that are sent at once from several threads stay apart.
_crashes: ContextVar[list[BaseException] | None] = ContextVar("crashes", default=None)


class Recorder:
    """Stands around the learner's app: notes what escapes from it, and lets nothing end the process."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            _note(error)
            raise
        except (CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            stop = HandlerExit(f"{type(error).__name__}, which would have ended the server")
            stop.__traceback__ = error.__traceback__
            _note(stop)
            raise stop from None


def _note(error: BaseException) -> None:
    crashes = _crashes.get()
    if crashes is not None:
        crashes.append(error)


class RecordingClient(TestClient):
    """FastAPI's TestClient that keeps every exchange in `exchanges`.

    `describe` turns an exception into words with the learner's own line; `printed` hands over what the
    learner's code printed since it was last asked. Requests may be sent from several threads at once: a
    crash belongs to its own request, and what is printed meanwhile to the one that is answered next.
    """

    def __init__(
        self,
        app: ASGIApp,
        describe: Callable[[BaseException], str],
        printed: Callable[[], str],
    ) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._describe = describe
        self._printed = printed
        self.exchanges: list[Exchange] = []
        super().__init__(Recorder(app), raise_server_exceptions=False)

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        with self._lock:
            if not self._under_way:
                self._printed()
            self._under_way += 1
        crashes: list[BaseException] = []
        context = _crashes.set(crashes)
        response: httpx2.Response | None = None
        try:
            response = super().send(request, **options)
            return response
        finally:
            _crashes.reset(context)
            with self._lock:
                self._under_way -= 1
                self._keep(request, response, crashes)

    def _keep(
        self, request: httpx2.Request, response: httpx2.Response | None, crashes: list[BaseException]
    ) -> None:
        path = request.url.raw_path.decode("ascii")
        body = _body(request)
        headers = {
            SHOWN_HEADERS[name]: value for name, value in request.headers.items() if name in SHOWN_HEADERS
        }
        self.exchanges.append(
            Exchange(
                method=request.method,
                path=path,
                body=body,
                curl=curl_line(request.method, path, headers, body),
                status=response.status_code if response is not None else None,
                answer=_answer(response),
                crash=self._describe(crashes[-1]) if crashes else None,
                printed=self._printed(),
                headers={name: value for name, value in headers.items() if value != JSON},
            )
        )


def curl_line(method: str, path: str, headers: dict[str, str], body: str) -> str:
    """The shell command that repeats a request against the app on the development server's usual port."""
    if len(body) > CURL_CHARACTERS:
        return f"(too long for a command line: the body has {len(body):,} characters)"
    words = ["curl"]
    if method != ("POST" if body else "GET"):
        words += ["-X", method]
    words.append(SERVED_AT + path)
    for name, value in headers.items():
        words += ["-H", f"{SHOWN_HEADERS.get(name.lower(), name)}: {value}"]
    if body:
        words += ["--data-raw" if body.startswith("@") else "-d", body]
    return shlex.join(words)


def _body(request: httpx2.Request) -> str:
    try:
        return request.content.decode("utf-8", errors="backslashreplace")
    except httpx2.RequestNotRead:
        return "(a streamed body)"


def _answer(response: httpx2.Response | None) -> str:
    if response is None:
        return ""
    try:
        return response.text
    except httpx2.ResponseNotRead:
        return "(a stream)"
