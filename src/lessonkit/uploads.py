"""The fixture `upload`: a POST that goes straight to the app, piece by piece, as a server hands a body on.

TestClient joins a body before the app sees any of it. Here the app has to ask for each piece, so a check can
count how many it asked for; and an answer that never comes is told, and does not hang the run.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from starlette.types import Message

from lessonkit.client import CURL_CHARACTERS, SERVED_AT, RecordingClient
from lessonkit.explanations import describe
from lessonkit.patience import Patience
from lessonkit.plugin import CHECKS
from lessonkit.report import Exchange

LOOK_SECONDS = 0.02
PATIENCE_TICKS = 40


@dataclass(frozen=True)
class Uploaded:
    """What came of it: `status` is None when no answer came; `taken` is how many pieces the app asked for."""

    status: int | None
    answer: str
    taken: int


Upload = Callable[..., Uploaded]


@pytest.fixture
def upload(request: pytest.FixtureRequest, client: RecordingClient) -> Upload:
    """Sends a POST in pieces: `upload("/generate", [b"…", b"…"], {"X-API-Key": "…"})`.

    There is no Content-Length unless `headers` has one.
    """
    folder = request.config.stash[CHECKS].session(request.node).folder

    def send(path: str, pieces: Sequence[bytes], headers: dict[str, str]) -> Uploaded:
        if client.portal is None:
            raise RuntimeError("the client is not entered")
        body = f"({sum(map(len, pieces)):,} bytes in {len(pieces)} pieces, without Content-Length)"
        result, crash = client.portal.call(_send, client, path, pieces, headers)
        told = describe(crash, folder) if crash is not None else None
        curl = _curl(path, b"".join(pieces), headers)
        client.exchanges.append(Exchange("POST", path, body, curl, result.status, result.answer, told))
        return result

    return send


async def _send(
    client: RecordingClient, path: str, pieces: Sequence[bytes], headers: dict[str, str]
) -> tuple[Uploaded, BaseException | None]:
    left = list(pieces)
    taken, status, parts = 0, None, []
    ended = anyio.Event()
    crash: BaseException | None = None

    async def receive() -> Message:
        nonlocal taken
        await anyio.sleep(0)
        if left:
            taken += 1
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                ended.set()

    async def answer(scope: dict[str, Any]) -> None:
        nonlocal crash
        try:
            await client.app(scope, receive, send)
        except Exception as error:
            crash = error
        finally:
            ended.set()

    named = {"host": "testserver", "content-type": "application/json"} | headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "client": ("testclient", 50000),
        "server": ("testserver", 80),
        "state": dict(client.app_state),
    }
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer, scope)
        patience = Patience(PATIENCE_TICKS)
        while not ended.is_set() and not patience.over((taken, status)):
            with anyio.move_on_after(LOOK_SECONDS):
                await ended.wait()
        tasks.cancel_scope.cancel()
    if status is None and crash is not None:
        status = 500
    return Uploaded(status, b"".join(parts).decode("utf-8", "replace"), taken), crash


def _curl(path: str, body: bytes, headers: dict[str, str]) -> str:
    """The shell command that repeats it: a short text as it is, anything else as so many bytes."""
    words = ["curl", "-X", "POST", f"{SERVED_AT}{path}", "-H", "Transfer-Encoding: chunked"]
    for name, value in ({"Content-Type": "application/json"} | headers).items():
        words += ["-H", f"{name}: {value}"]
    if len(body) <= CURL_CHARACTERS and body.isascii() and body.decode().isprintable():
        return shlex.join([*words, "--data-raw", body.decode()])
    return f"head -c {len(body)} /dev/zero | {shlex.join(words)} --data-binary @-"
