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


# TODO(1): a dependency open_stream(request: GenerateRequest, client: Client), an `async def` with a `yield`:
#          it opens client.messages.stream(model=…, max_tokens=…, messages=…) with `async with … as stream`,
#          and yields the stream inside the block (a `return` would close it). Give it a name to be used as a parameter's type:
#          OpenStream = Annotated[AsyncMessageStream, Depends(open_stream)].


# TODO(2): answer POST /generate/stream, with response_class=EventSourceResponse, by an `async def` that
#          takes stream: OpenStream. For each event of the stream (`async for`) whose type is "text", yield
#          ServerSentEvent(event="token", data={"text": event.text}).


# TODO(3): for the event of the type "message_stop", yield one ServerSentEvent with event="done", then
#          return. Its data: "stop_reason", and "usage" with "input_tokens" and "output_tokens". All three
#          stand in event.message, which is the whole message by then.


# TODO(4): when the loop raises an Exception, whatever it is, or ends without a "message_stop": yield one
#          ServerSentEvent with event="error". Its data: "code" and "message", the second and third of what
#          explain(error) gives. The exception goes into the log.
