"""What the stand-in keeps on record: each call as it arrived, and the connections that callers hold."""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from lessonkit.upstream import wire


@dataclass
class Call:
    """One call as it arrived. `gone` is set when the caller left before the answer was complete."""

    path: str
    headers: dict[str, str]
    body: Any
    connection: tuple[str, int]
    sent: list[str] = field(default_factory=list)
    answered: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def prompt(self) -> str:
        """The text of the last message."""
        return wire.last_text(self.body)


class Connections:
    """The connections of one server: how many were `opened`, and the `transports` of those that still are."""

    def __init__(self) -> None:
        self.opened = 0
        self.transports: dict[tuple[str, int], asyncio.Transport] = {}
        self._changed = threading.Condition()

    def wait_until_closed(self, seconds: float) -> bool:
        """Wait until none is open; False when one still is after `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.transports, seconds)

    def protocol(self) -> type[H11Protocol]:
        """uvicorn's own protocol, which also notes each connection that opens and closes."""
        noted = self

        class Noting(H11Protocol):
            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                noted.opened += 1
                noted.transports[tuple(transport.get_extra_info("peername"))] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                with noted._changed:
                    noted.transports.pop(tuple(self.transport.get_extra_info("peername")), None)
                    noted._changed.notify_all()

        return Noting
