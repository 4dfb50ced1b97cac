"""An inference API behind guardrails: who may call it, how often, how much, and from which web pages."""

import hashlib
import math
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from anthropic import APIError, AsyncAnthropic
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import APIKeyHeader
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, Field


def listed(name: str) -> list[str]:
    """The parts of an environment variable that are separated by commas; none where it is not set."""
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


API_KEYS = listed("API_KEYS")
ALLOWED_ORIGINS = listed("ALLOWED_ORIGINS")
RATE_LIMIT = parse(os.environ.get("RATE_LIMIT", "5/minute"))
RATE_LIMIT_STORAGE_URI = os.environ.get("RATE_LIMIT_STORAGE_URI", "memory://")
MAX_BODY_BYTES = int(os.environ.get("MAX_BODY_BYTES", "65536"))
GENERATIONS_AT_ONCE = 4


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncAnthropic() as client:
        app.state.client = client
        yield


# TODO(1): refuse a body of more than MAX_BODY_BYTES with 413: FastAPI(…, max_body_size=MAX_BODY_BYTES).
app = FastAPI(
    title="AI Inference API",
    version="1.0.0",
    lifespan=lifespan,
)


def get_client(request: Request) -> AsyncAnthropic:
    return request.app.state.client


Client = Annotated[AsyncAnthropic, Depends(get_client)]


# TODO(2): a dependency require_key that takes the header X-API-Key (APIKeyHeader answers 401 where it is
#          missing), compares it with each of API_KEYS by secrets.compare_digest, as bytes, and returns it.
#          A key that is none of them: HTTPException 401 with the header WWW-Authenticate.
#          No check turns green yet: nobody asks for the key before TODO(5), below. Do that now.


# TODO(3): a MovingWindowRateLimiter on storage_from_string(RATE_LIMIT_STORAGE_URI), made once, here; and a
#          dependency require_quota that depends on require_key and calls limiter.hit(RATE_LIMIT, caller),
#          where caller is a hash of the key. Where hit() says False: HTTPException 429 with the header
#          Retry-After, the whole seconds until limiter.get_window_stats(RATE_LIMIT, caller).reset_time.
#          Then TODO(5) for the second time: without it nothing is counted.


# TODO(4): a dependency generation_slot with nothing in it but a `yield`. It takes a place while a request
#          runs: Depends(generation_slot, max_concurrency=GENERATIONS_AT_ONCE) lets only so many in at once.
#          Then TODO(5) for the third time.


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


class GenerateRequest(BaseModel):
    prompt: str = Field(min_length=1, max_length=10_000)
    model: str = "claude-haiku-4-5-20251001"
    max_tokens: int = Field(default=1024, ge=1, le=4096)


class GenerateResponse(BaseModel):
    text: str
    model: str
    input_tokens: int
    output_tokens: int


@app.post(
    "/generate",
    # TODO(5): three times, as what is named here has to exist. After TODO(2): dependencies=[Depends(require_key)].
    #          After TODO(3): Depends(require_quota) in its place. After TODO(4): the slot as well, and last,
    #          so that nobody who is refused waits for a place.
)
async def generate(request: GenerateRequest, client: Client) -> GenerateResponse:
    try:
        message = await client.messages.create(
            model=request.model,
            max_tokens=request.max_tokens,
            messages=[{"role": "user", "content": request.prompt}],
        )
    except APIError as error:
        raise HTTPException(status_code=502, detail="The model failed") from error
    return GenerateResponse(
        text="".join(block.text for block in message.content if block.type == "text"),
        model=message.model,
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
    )


# TODO(6): let web pages from ALLOWED_ORIGINS call this API, and no others: app.add_middleware with
#          CORSMiddleware, the methods GET and POST, the headers Content-Type and X-API-Key. Expose Retry-After.
