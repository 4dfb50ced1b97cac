"""The reader of Server-Sent Events: what it takes for an event, and that it reads while the app still writes."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from lessonkit.sse import Event, events, live


def app_that_sends(*chunks: str, media_type: str = "text/event-stream") -> FastAPI:
    app = FastAPI()

    @app.post("/")
    async def send() -> StreamingResponse:
        return StreamingResponse(iter(chunks), media_type=media_type)

    return app


@pytest.mark.parametrize(
    ("chunks", "found"),
    [
        (("event: token\ndata: 1\n\n",), [Event("token", "1")]),
        (("event:token\ndata:1\n\n",), [Event("token", "1")]),
        (("event: token\r\ndata: 1\r\n\r\n",), [Event("token", "1")]),
        (("event: to", "ken\ndata: ", "1\n", "\n"), [Event("token", "1")]),
        (('data: {"a":\ndata: 1}\n\n',), [Event("message", '{"a":\n1}')]),
        ((": ping\n\nid: 7\nretry: 100\nevent: token\ndata: 1\n\n",), [Event("token", "1")]),
        (("event: ping\ndata: {}\n\nevent: done\ndata: 1\n\n",), [Event("done", "1")]),
        (("event: token\n\n",), []),
        (("event: token\ndata: 1\n",), []),
        (("data: a\u2028b\n\n",), [Event("message", "a\u2028b")]),
        ((), []),
    ],
    ids=[
        "one",
        "no-space",
        "crlf",
        "chunks",
        "lines",
        "comment-id-retry",
        "ping",
        "no-data",
        "no-end",
        "u2028",
        "empty",
    ],
)
def test_what_counts_as_an_event(chunks: tuple[str, ...], found: list[Event]) -> None:
    with TestClient(app_that_sends(*chunks)) as client:
        assert events(client.post("/")) == found
        with live(client, "/", None) as stream:
            assert [stream.next() for _ in found] == found
            assert stream.next() is None


def test_another_content_type_holds_no_events() -> None:
    with TestClient(app_that_sends("data: 1\n\n", media_type="text/plain")) as client:
        assert events(client.post("/")) == []


def test_value_is_json_or_none() -> None:
    assert (Event("a", '{"text": "b"}').value, Event("a", "b").value) == ({"text": "b"}, None)


def test_first_event_comes_before_the_rest_and_leaving_ends_the_app() -> None:
    app = FastAPI()
    ended = threading.Event()

    @app.post("/")
    async def send() -> StreamingResponse:
        async def endless() -> AsyncIterator[str]:
            try:
                yield "event: token\ndata: 1\n\n"
                await asyncio.Event().wait()
            finally:
                ended.set()

        return StreamingResponse(endless(), media_type="text/event-stream")

    with TestClient(app) as client, live(client, "/", None) as stream:
        assert stream.next() == Event("token", "1")
        stream.read_on(0.01)
        assert not ended.is_set()
        stream.leave()
        assert ended.wait(10)
