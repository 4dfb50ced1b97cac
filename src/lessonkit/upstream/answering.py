"""What the stand-in reads and sends by hand: bodies, and whole answers."""

import json
from typing import Any

from starlette.types import Receive, Send

from lessonkit.upstream import wire


async def read_json(receive: Receive) -> Any:
    """The whole body as JSON; None where it is none."""
    data = b""
    while True:
        part = await receive()
        data += part.get("body", b"")
        if not part.get("more_body", False):
            break
    try:
        return json.loads(data)
    except ValueError:
        return None


async def send_start(send: Send, status: int, headers: dict[str, str]) -> None:
    """Send the status and the headers, a request id among them; a body has to follow."""
    every = {"request-id": wire.request_id()} | headers
    pairs = [(name.encode(), value.encode()) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def send_bytes(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Send a whole answer."""
    await send_start(send, status, headers | {"content-length": str(len(body))})
    await send({"type": "http.response.body", "body": body})


async def send_json(send: Send, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
    """Send a whole answer whose body is `data` as JSON."""
    body = json.dumps(data).encode()
    await send_bytes(send, status, body, {"content-type": "application/json"} | (headers or {}))
