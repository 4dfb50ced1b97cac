"""Sends several requests at the same moment, each from a thread of its own, and keeps when each was answered."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from fastapi.testclient import TestClient

from lessonkit.slow_models import Call, records


@dataclass(frozen=True)
class TimedRequest:
    """When one request was sent and answered, and when a model worked on it.

    All times are seconds since the first request of its burst was sent. `began` and `done` are None
    where no model was called for it.
    """

    sent: float
    ended: float
    status: int
    began: float | None = None
    done: float | None = None

    @property
    def waited(self) -> float:
        """Seconds from sending until a model began on it, or until the answer where none did."""
        return (self.ended if self.began is None else self.began) - self.sent


class Burst:
    """Requests to one path, one for each of `bodies`, sent at once as soon as it is made.

    `client` has to be entered with `with`, so that one event loop answers all of them. `replies()` waits
    for the answers, in the order of `bodies`.
    """

    def __init__(self, client: TestClient, path: str, bodies: Sequence[Any], method: str = "POST") -> None:
        self.client = client
        self.method = method
        self.path = path
        self.times: dict[int, tuple[float, float]] = {}
        self._all_there = threading.Barrier(len(bodies))
        self._pool = ThreadPoolExecutor(len(bodies), thread_name_prefix="burst")
        self._answers: list[Future[httpx2.Response]] = [
            self._pool.submit(self._send, place, body) for place, body in enumerate(bodies)
        ]

    def _send(self, place: int, body: Any) -> httpx2.Response:
        self._all_there.wait()
        sent = time.perf_counter()
        reply = self.client.request(self.method, self.path, json=body)
        self.times[place] = (sent, time.perf_counter())
        return reply

    def replies(self) -> list[httpx2.Response]:
        """Wait for all answers; raises what sending one of them raised."""
        try:
            return [answer.result() for answer in self._answers]
        finally:
            self._pool.shutdown(wait=False)

    def finish(self) -> None:
        """Wait until every thread has ended, whatever came of it."""
        self._pool.shutdown(wait=True)


def time_requests(client: TestClient, path: str, count: int, method: str = "POST") -> list[TimedRequest]:
    """Send `count` requests at once, each with a text of its own, and return when what happened to each.

    `client` has to be entered with `with`. A request's text finds the model's call for it.
    """
    texts = [f"Request {number}" for number in range(1, count + 1)]
    marks = [(record, len(record.calls)) for record in records.values()]
    burst = Burst(client, path, [{"text": text} for text in texts], method)
    replies = burst.replies()
    calls: dict[object, Call] = {
        call.text: call
        for record, mark in marks
        for call in record.calls[mark:]
        if isinstance(call.text, str)
    }
    start = min(sent for sent, _ in burst.times.values())
    timed = []
    for place, (text, reply) in enumerate(zip(texts, replies, strict=True)):
        sent, ended = burst.times[place]
        request = TimedRequest(sent - start, ended - start, reply.status_code)
        call = calls.get(text)
        if call is not None and call.ended is not None:
            request = replace(request, began=call.began - start, done=call.ended - start)
        timed.append(request)
    return timed


def most_at_once(requests: Sequence[TimedRequest]) -> int:
    """How many of these requests a model worked on at the same moment, at most."""
    begun = [request for request in requests if request.began is not None and request.done is not None]
    return max((sum(_covers(other, request.began) for other in begun) for request in begun), default=0)


def _covers(request: TimedRequest, moment: float | None) -> bool:
    if request.began is None or request.done is None or moment is None:
        return False
    return request.began <= moment < request.done
