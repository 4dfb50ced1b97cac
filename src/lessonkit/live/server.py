"""The process that serves one lesson: `python -m lessonkit.live.server`, started by `handle`.

It says where it listens in one line of JSON on its standard output, follows the saves of `main.py`, and ends
when its standard input closes, which also happens when whoever started it is killed.
"""

import asyncio
import json
import os
import socket
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout
from starlette.types import ASGIApp, Receive, Scope, Send

from lessonkit.live.handle import USUAL_PORT, Order
from lessonkit.live.offline_docs import OfflineDocs
from lessonkit.live.swap import Swap
from lessonkit.saves import saves
from lessonkit.targets import Target

BEGIN_SECONDS = 5.0  # an event loop that does not get to a save for this long is held by the learner's code
GRACE_SECONDS = 1
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
    _tell({"url": url})
    os.dup2(2, 1)  # nobody reads on: what the learner prints goes where the log goes
    asyncio.run(_serve(order, listening))


async def _serve(order: Order, listening: socket.socket) -> None:
    swap = Swap(Target("work", Path(order.main), frozenset(order.needs)), order.trouble)
    config = uvicorn.Config(
        _Proxied(OfflineDocs(swap)), lifespan="off", timeout_graceful_shutdown=GRACE_SECONDS
    )
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    begun, saved = threading.Event(), threading.Event()
    if not order.trouble:
        saved.set()
    for work in (
        lambda: _end_with_parent(server),
        lambda: _watch(Path(order.main).parent, saved),
        lambda: _follow(begun, saved, swap, order, listening, loop),
    ):
        threading.Thread(target=work, daemon=True).start()
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    begun.set()
    await serving
    await swap.close()


def _watch(folder: Path, saved: threading.Event) -> None:
    for _ in saves(folder):
        saved.set()


def _follow(
    begun: threading.Event,
    saved: threading.Event,
    swap: Swap,
    order: Order,
    listening: socket.socket,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Load the app at each save, in the event loop; begin anew where that is held up."""
    begun.wait()
    while saved.wait():
        saved.clear()
        _load(swap, order, listening, loop)


def _load(swap: Swap, order: Order, listening: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    begun = threading.Event()

    async def load() -> None:
        begun.set()
        await swap.load()

    loading = asyncio.run_coroutine_threadsafe(load(), loop)
    if not begun.wait(BEGIN_SECONDS):
        _again(replace(order, socket=listening.fileno(), trouble=""))
    try:
        loading.result(order.load_seconds)
    except TimeoutError:
        trouble = f"main.py did not finish loading within {order.load_seconds:.0f} seconds.\nLook for a loop that never ends, then save."
        _again(replace(order, socket=listening.fileno(), trouble=trouble))


def _again(order: Order) -> None:
    """Become a new process that listens on the same socket: the only way out of code that never returns."""
    print("The app does not answer any more; the server begins anew.", file=sys.stderr, flush=True)
    os.set_inheritable(order.socket or 0, True)
    os.execv(sys.executable, [sys.executable, "-m", "lessonkit.live.server", json.dumps(asdict(order))])


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

    upstream = Upstream()
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
