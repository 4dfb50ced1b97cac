"""An inference API: a prompt goes to a language model behind the network, its answer comes back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from anthropic import APIError, AsyncAnthropic
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

MODELS = ["claude-haiku-4-5-20251001", "claude-sonnet-4-6"]


# TODO(1): a lifespan, as lesson 7 has one: an `async def` under @asynccontextmanager that opens one
#          AsyncAnthropic() with `async with`, keeps it in app.state.client, and yields, inside the block.
#          (Without a `yield`, "'coroutine' object is not an async iterator" is what you read.) Hand it over
#          below: FastAPI(…, lifespan=lifespan).


app = FastAPI(
    title="AI Inference API",
    version="1.0.0",
)


# TODO(2): a dependency get_client(request: Request) that returns request.app.state.client, and a name for
#          it, to be used as a parameter's type: Client = Annotated[AsyncAnthropic, Depends(get_client)].


# TODO(3): answer GET /models with {"models": MODELS}.


# TODO(4): what a caller sends: prompt (1 to 10000 characters), model (a string, MODELS[0] when it is left
#          out) and max_tokens (1 to 4096, 1024 when it is left out).
class GenerateRequest(BaseModel):
    pass


# TODO(5): what a caller gets: text and model (strings), input_tokens and output_tokens (whole numbers).
class GenerateResponse(BaseModel):
    pass


# TODO(6): answer POST /generate. Await client.messages.create(model=…, max_tokens=…, messages=…) with the
#          prompt as the only message: [{"role": "user", "content": request.prompt}]. Return its text (all
#          blocks of type "text", joined with nothing between), its model, and the two counts of its usage.


# TODO(7): when that call raises APIError, raise HTTPException with status 502 and the detail "The model
#          failed". No check turns green by it: without it the caller gets a plain 500, which is a 5xx too.
