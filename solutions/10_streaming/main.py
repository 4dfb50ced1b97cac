"""An inference API that streams: the answer leaves piece by piece, while the model is still writing it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from anthropic import APIError, AsyncAnthropic, AsyncMessageStream
from fastapi import Depends, FastAPI, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from errors import answer_error, explain

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncAnthropic() as client:
        app.state.client = client
        yield


app = FastAPI(title="AI Inference API", version="1.0.0", lifespan=lifespan)
app.add_exception_handler(APIError, answer_error)


def get_client(request: Request) -> AsyncAnthropic:
    return request.app.state.client


Client = Annotated[AsyncAnthropic, Depends(get_client)]


class GenerateRequest(BaseModel):
    prompt: str = Field(min_length=1, max_length=10_000)
    model: str = "claude-haiku-4-5-20251001"
    max_tokens: int = Field(default=1024, ge=1, le=4096)


async def open_stream(request: GenerateRequest, client: Client) -> AsyncIterator[AsyncMessageStream]:
    async with client.messages.stream(
        model=request.model,
        max_tokens=request.max_tokens,
        messages=[{"role": "user", "content": request.prompt}],
    ) as stream:
        yield stream


OpenStream = Annotated[AsyncMessageStream, Depends(open_stream)]


@app.post("/generate/stream", response_class=EventSourceResponse)
async def generate_stream(stream: OpenStream) -> AsyncIterator[ServerSentEvent]:
    try:
        async for event in stream:
            if event.type == "text":
                yield ServerSentEvent(event="token", data={"text": event.text})
            elif event.type == "message_stop":
                usage = event.message.usage
                counts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
                done = {"stop_reason": event.message.stop_reason, "usage": counts}
                yield ServerSentEvent(event="done", data=done)
                return
        raise EOFError("the answer ended before its message_stop")
    except Exception as error:  # the SDK's own, a cut connection, half an event: the status has left already
        logger.warning("The stream broke off", exc_info=error)
        _, code, message = explain(error)
        yield ServerSentEvent(event="error", data={"code": code, "message": message})
