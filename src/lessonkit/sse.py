"""Server-Sent Events as a suite reads them: from a whole answer, or live, one by one, while the app still writes."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi.testclient import TestClient

PINGS = {"ping", "keepalive", "keep-alive", "heartbeat"}
QUIET_SECONDS = 0.1


@dataclass(frozen=True)
class Event:
    """One event: its name ("message" where the stream gives none) and its data, several lines joined by line ends."""

    name: str
    data: str

    @property
    def value(self) -> Any:
        """The data as JSON; None where it is no JSON."""
        try:
            return json.loads(self.data)
        except ValueError:
            return None


def events(reply: httpx2.Response) -> list[Event]:
    """The events of a whole answer, pings left out; none where it is no event stream.

    What a browser would not dispatch is no event: comments, events without data, and a last one without
    the empty line at its end.
    """
    return list(_dispatched(reply))


class LiveStream:
    """An answer that is read while it comes, by a thread: as with a real connection, the app need not wait for its reader."""

    def __init__(self, reply: httpx2.Response) -> None:
        self.reply = reply
        self._found: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._leaving: threading.Thread | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(Exception):  # what reading raises when the reader hangs up meanwhile
            for event in _dispatched(self.reply):
                self._found.put(event)
        self._found.put(None)

    def next(self) -> Event | None:
        """Wait for the next event; None when there is none any more."""
        event = self._found.get()
        if event is None:
            self._found.put(None)
        return event

    def read_on(self, quiet_seconds: float = QUIET_SECONDS) -> None:
        """Read events away until none has come for a while: the app waits for something else by then."""
        with suppress(queue.Empty):
            while self._found.get(timeout=quiet_seconds) is not None:
                pass
            self._found.put(None)

    def leave(self) -> None:
        """Hang up, as a reader does who closes the page; returns at once, while the app may still be at work."""
        if self._leaving is None:
            self._leaving = threading.Thread(target=self.reply.close, daemon=True)
            self._leaving.start()

    def end(self) -> None:
        """Hang up and wait until the app has done with this request."""
        self.leave()
        if self._leaving is not None:
            self._leaving.join()


@contextmanager
def live(client: TestClient, path: str, body: Any) -> Iterator[LiveStream]:
    """POST `body` as JSON and read what comes back event by event. `client` has to be entered with `with`."""
    reply = client.send(client.build_request("POST", path, json=body), stream=True)
    stream = LiveStream(reply)
    try:
        yield stream
    finally:
        stream.end()


def _dispatched(reply: httpx2.Response) -> Iterator[Event]:
    try:
        for event in httpx2.EventSource(reply):
            if event.data and event.event not in PINGS:
                yield Event(event.event, event.data)
    except httpx2.SSEError:
        return  # another content type, or an event without end
