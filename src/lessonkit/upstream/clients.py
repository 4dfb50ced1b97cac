"""A record of the HTTP clients under the SDK's clients: how many one life of the app used, and which it closed.

An SDK client that nobody holds is collected, and closes its connections as it goes; so whether a program
closes it would depend on the collector. The record holds every HTTP client that the SDK was given or made.
Clients that are derived (`with_options`, `copy`) share theirs and count once; one that the learner made
(`http_client=`) counts like any other.
"""

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import httpx2
from httpx2._client import ClientState  # there is no public way to open a client again
from httpx2._transports import default as transports

HttpClient = httpx2.Client | httpx2.AsyncClient


class Clients:
    """The HTTP clients that the SDK sent requests with since `begin()`, which starts a life of the app."""

    def __init__(self) -> None:
        self._held: list[HttpClient] = []
        self._used: list[HttpClient] = []
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """How many different ones sent a request in this life."""
        return len(self._used)

    @property
    def still_open(self) -> int:
        """How many of these are not closed."""
        return sum(not client.is_closed for client in self._used)

    def begin(self) -> None:
        """Begin a life of the app: forget what was used, and let every client be as it was made.

        A server imports a module and lives once. A suite imports it once and starts it for each check, so
        a client of the module that was closed at the last shutdown, or that holds connections of the event
        loop that ended with it, begins anew as well.
        """
        with self._lock:
            self._used = []
            for client in self._held:
                _as_just_made(client)

    def hold(self, client: HttpClient) -> None:
        """Keep an SDK client's HTTP client for good."""
        with self._lock:
            if not any(one is client for one in self._held):
                self._held.append(client)

    def note(self, client: HttpClient) -> None:
        """Note that the SDK sends a request with `client`."""
        self.hold(client)
        with self._lock:
            if not any(one is client for one in self._used):
                self._used.append(client)


@cache
def watch() -> Clients:
    """The one record of this process; the SDK clients that are made from the first call on are on it.

    Imports the SDK, which takes seconds where it is not loaded yet.
    """
    from anthropic import Anthropic, AsyncAnthropic

    record = Clients()
    for kind in (Anthropic, AsyncAnthropic):
        kind.__init__ = _then(kind.__init__, record.hold)  # type: ignore[method-assign]
        kind.request = _after(record.note, kind.request)  # type: ignore[method-assign]
    # Each client reads the system's certificates, for 20 ms that are longer than most checks; once will do.
    transports.create_ssl_context = cache(transports.create_ssl_context)  # type: ignore[attr-defined]
    return record


def _then(make: Callable[..., None], tell: Callable[[HttpClient], None]) -> Callable[..., None]:
    """`make`, the `__init__` of an SDK client, which afterwards tells of its HTTP client."""

    @wraps(make)
    def init(sdk_client: Any, *arguments: Any, **options: Any) -> None:
        make(sdk_client, *arguments, **options)
        tell(sdk_client._client)

    return init


def _after(tell: Callable[[HttpClient], None], send: Callable[..., Any]) -> Callable[..., Any]:
    """`send`, the method of an SDK client through which every request goes, which first tells of its HTTP client."""

    @wraps(send)
    def request(sdk_client: Any, *arguments: Any, **options: Any) -> Any:
        tell(sdk_client._client)
        return send(sdk_client, *arguments, **options)

    return request


def _as_just_made(client: HttpClient) -> None:
    client._state = ClientState.UNOPENED
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._connections, pool._requests = [], []
