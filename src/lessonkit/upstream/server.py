"""The stand-in's server: a real HTTP server in a thread, with what it received on record."""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import cache

import uvicorn
from starlette.types import Receive, Scope, Send

from lessonkit.model import run_model
from lessonkit.patience import TICK_SECONDS, Patience
from lessonkit.upstream import wire
from lessonkit.upstream.answering import read_json, send_bytes, send_json, send_start
from lessonkit.upstream.record import Call, Connections
from lessonkit.upstream.steps import Answer, Drop, Failure, NotAMessage, Silence, Step, Text

START_SECONDS = 10.0
PATIENCE_TICKS = 100  # how long a barrier or a held stream waits before it lets go by itself
CLOSING_SECONDS = 3.0
LOOK_SECONDS = TICK_SECONDS / 4


class Upstream:
    """A running stand-in. `url` is what goes into ANTHROPIC_BASE_URL; `close()` ends it.

    `calls` holds every call since `reset()`; `peak` is how many were in flight at once; `connections`
    how many connections were opened, `open_connections` how many still are. `pace` is how many seconds lie
    before each piece of a stream that nothing else is said of.
    """

    def __init__(self, port: int = 0, pace: float = 0.0) -> None:
        self._pace = pace
        # Only where the protocol is named does asyncio send small answers without delay (40 ms a call).
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._connections = Connections()
        self.reset()
        config = uvicorn.Config(
            self._app,
            http=self._connections.protocol(),
            interface="asgi3",
            lifespan="off",
            log_config=None,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="lesson-upstream", daemon=True)
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise RuntimeError("the stand-in upstream did not start")

    def close(self) -> None:
        """End the server; calls under way are cut."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
        self._socket.close()

    # -- what the suites say ------------------------------------------------------------------

    def reset(self) -> None:
        """Forget calls and scripts, and let everything go that is held."""
        if hasattr(self, "_released"):
            self.release()
        self.calls: list[Call] = []
        self.peak = 0
        self._connections.opened = 0
        self._flying: set[int] = set()  # the calls in flight; one that ends after a reset is of the old set
        self._script: deque[Step] = deque()
        self._always: Step | None = None
        self._barrier = 0
        self._released = threading.Event()
        self._joined = threading.Event()

    def script(self, *steps: Step) -> None:
        """Answer the next calls with `steps`, one each; after them as usual."""
        self._script.extend(steps)

    def always(self, step: Step) -> None:
        """Answer every call with `step`, until `reset()`."""
        self._always = step

    def hold(self, calls: int) -> None:
        """Answer only when `calls` calls are in flight at once.

        Nobody waits for ever: after `PATIENCE_TICKS` quiet ticks a call is let go. The verdict is `peak`.
        """
        self._barrier = calls

    def release(self) -> None:
        """Let go what `Silence`, `hold_before` or `hold` keeps waiting."""
        self._released.set()

    @property
    def connections(self) -> int:
        return self._connections.opened

    @property
    def open_connections(self) -> int:
        return len(self._connections.transports)

    def wait_until_closed(self, seconds: float = CLOSING_SECONDS) -> bool:
        """Wait until no caller holds a connection open; False when one still does."""
        return self._connections.wait_until_closed(seconds)

    # -- the server ---------------------------------------------------------------------------

    def _serve(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            serving = asyncio.create_task(self._server.serve([self._socket]))
            while not self._server.started and not serving.done():
                await asyncio.sleep(0.001)
            self._started.set()
            await serving

        asyncio.run(main())

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await read_json(receive)
        call = Call(scope["path"], headers, body, tuple(scope["client"]))
        self.calls.append(call)
        flying = self._flying
        flying.add(id(call))
        self.peak = max(self.peak, len(flying))
        if self._barrier and len(flying) >= self._barrier:
            self._joined.set()
        watching = asyncio.create_task(self._watch(receive, call))
        try:
            await self._answer(call, send)
            call.answered.set()
        finally:
            flying.discard(id(call))
            watching.cancel()

    async def _answer(self, call: Call, send: Send) -> None:
        if call.path != "/v1/messages":
            await send_json(send, 404, wire.error(Failure(404, "not_found_error", f"Not found: {call.path}")))
            return
        step = self._next(call)
        if self._barrier:
            await self._wait(call, lambda: self._joined.is_set() or self._released.is_set())
        if isinstance(step, Silence):
            await self._wait(call, self._released.is_set, ticks=step.ticks)
            step = Drop() if step.ticks is None else Answer()
        if isinstance(step, Drop):
            await self._cut(call)
            await send_bytes(send, 500, b"", {})
        elif isinstance(step, Failure):
            headers = {"retry-after": "1"} if step.status == 429 else {}
            await send_json(send, step.status, wire.error(step), headers | step.headers)
        elif isinstance(step, NotAMessage):
            await send_bytes(send, 200, step.body.encode(), {"content-type": step.content_type})
        elif call.body.get("stream"):
            await self._stream(call, step, send)
        else:
            texts = [block for block in step.blocks if isinstance(block, Text)]
            await asyncio.sleep(step.seconds_apart * sum(len(text.streamed()) for text in texts))
            await send_json(send, 200, wire.message(step, call.body))

    def _next(self, call: Call) -> Step:
        refused = wire.refusal(call.headers, call.body)
        if self._script:
            return self._script.popleft()
        if self._always is not None:
            return self._always
        if refused is not None:
            return refused
        limit = call.body["max_tokens"]
        text = run_model(call.prompt, limit, 0)
        words = len(text.split())
        reason = "max_tokens" if words >= limit else "end_turn"
        pace = self._pace if call.body.get("stream") else 0.0
        return Answer((Text(text),) if text else (), stop_reason=reason, seconds_apart=pace)

    async def _stream(self, call: Call, answer: Answer, send: Send) -> None:
        await send_start(
            send, 200, {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        )
        pieces = 0
        for event in wire.events(answer, call.body):
            is_text = event[1].get("delta", {}).get("type") == "text_delta"
            if is_text and answer.fail_after == pieces:
                last = b""
                if answer.error is None:
                    await self._cut(call)
                else:
                    last = wire.sse(("error", wire.error(Failure(500, answer.error))))
                await send({"type": "http.response.body", "body": last, "more_body": False})
                return
            if is_text:
                pieces += 1
                await asyncio.sleep(answer.seconds_apart)
                if answer.hold_before == pieces:
                    await self._wait(call, self._released.is_set)
            if call.gone.is_set():
                return
            call.sent.append(event[0])
            await send({"type": "http.response.body", "body": wire.sse(event), "more_body": True})
            await asyncio.sleep(0)  # sending gives no other task a turn, so nobody would see the caller leave
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait(
        self, call: Call, ready: Callable[[], bool], ticks: float | None = PATIENCE_TICKS
    ) -> None:
        """Wait until `ready()`, the caller leaves, or the patience is over."""
        patience = None if ticks is None else Patience(ticks)
        while not ready() and not call.gone.is_set() and not (patience and patience.over(len(self.calls))):
            await asyncio.sleep(LOOK_SECONDS)

    async def _watch(self, receive: Receive, call: Call) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not call.answered.is_set():
            call.gone.set()

    async def _cut(self, call: Call) -> None:
        """Cut the caller's connection; what is sent after that goes nowhere."""
        transport = self._connections.transports.get(call.connection)
        if transport is not None:
            transport.abort()
        await self._wait(call, call.gone.is_set)


@cache
def shared() -> Upstream:
    """The one stand-in of this process, started when it is first asked for."""
    return Upstream()
