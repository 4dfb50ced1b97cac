"""The process that serves one lesson: `python -m lessonkit.live.server`, started by `handle`.

It says where it listens in one line of JSON on its standard output, follows the saves of `main.py`, and ends
when its standard input closes, which also happens when whoever started it is killed.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import threading
import time
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout
from starlette.types import ASGIApp, Receive, Scope, Send

from lessonkit.live.follower import Follower
from lessonkit.live.handle import USUAL_PORT, Order
from lessonkit.live.offline_docs import PREFIX, OfflineDocs
from lessonkit.live.swap import Swap
from lessonkit.targets import Target

GRACE_SECONDS = 1
PACE_SECONDS = 0.1  # between the pieces of a stream, so that one sees them come
CONTEXT_HEADER = b"x-forwarded-context"  # where jupyter-server-proxy says which prefix it took off


def main(words: str) -> None:
    """Serve as `words`, an Order in JSON, say; returns when it is over."""
    order = Order(**json.loads(words))
    lock = FileLock(order.lock)
    told = Path(order.lock).with_suffix(".json")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _tell({"running": json.loads(told.read_text(encoding="utf-8"))["url"]})
        return
    try:
        listening = _listen(order)
    except OSError as error:
        _tell({"error": f"Port {order.port} cannot be used: {error.strerror}."})
        return
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    if order.upstream:
        _stand_in()
    told.write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
    if order.socket is None:
        _tell({"url": url})
    os.dup2(2, 1)  # nobody reads on: what the learner prints goes where the log goes
    asyncio.run(_serve(order, listening))


async def _serve(order: Order, listening: socket.socket) -> None:
    swap = Swap(Target("work", Path(order.main), frozenset(order.needs)), order.trouble)
    follower = Follower(order, swap, listening)
    config = uvicorn.Config(
        _Proxied(OfflineDocs(swap)), lifespan="off", timeout_graceful_shutdown=GRACE_SECONDS
    )
    server = uvicorn.Server(config)
    logging.getLogger("uvicorn.access").addFilter(lambda record: PREFIX not in record.getMessage())
    threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    follower.start()
    await serving
    await swap.close()


def _listen(order: Order) -> socket.socket:
    if order.socket is not None:
        return socket.socket(fileno=order.socket)
    for port in (USUAL_PORT, 0) if order.port is None else (order.port,):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
            listening.listen(128)
        except OSError as error:
            listening.close()
            refused = error
        else:
            return listening
    raise refused


def _stand_in() -> None:
    """Let the SDK's clients of this process find a stand-in for the model's service."""
    import anthropic  # noqa: F401  # takes seconds, which are not the learner's

    from lessonkit.upstream import Upstream

    upstream = Upstream(pace=PACE_SECONDS)
    os.environ.update(ANTHROPIC_BASE_URL=upstream.url, ANTHROPIC_API_KEY="placeholder-key")
    print(f"The model behind the network is the stand-in on {upstream.url}.", file=sys.stderr, flush=True)


def _tell(what: dict[str, str]) -> None:
    print(json.dumps(what), flush=True)


def _end_with_parent(server: uvicorn.Server) -> None:
    while sys.stdin.buffer.read(1):
        pass
    server.should_exit = True
    time.sleep(2 * GRACE_SECONDS)
    os._exit(0)


class _Proxied:
    """Behind a proxy that takes a prefix off the path, the app is told which, so that its links hold."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = dict(scope.get("headers", ())).get(CONTEXT_HEADER, b"").decode("latin-1").rstrip("/")
        if prefix:
            scope = {**scope, "root_path": prefix, "path": prefix + scope["path"]}
        await self._app(scope, receive, send)


if __name__ == "__main__":
    main(sys.argv[1])
