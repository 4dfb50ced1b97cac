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


app = FastAPI(
    title="AI Inference API",
    version="1.0.0",
    lifespan=lifespan,
    max_body_size=MAX_BODY_BYTES,
)


def get_client(request: Request) -> AsyncAnthropic:
    return request.app.state.client


Client = Annotated[AsyncAnthropic, Depends(get_client)]


def require_key(key: Annotated[str, Depends(APIKeyHeader(name="X-API-Key"))]) -> str:
    presented = key.encode()
    if not any(secrets.compare_digest(presented, known.encode()) for known in API_KEYS):
        raise HTTPException(401, "Unknown API key", headers={"WWW-Authenticate": "APIKey"})
    return key


limiter = MovingWindowRateLimiter(storage_from_string(RATE_LIMIT_STORAGE_URI))


def require_quota(key: Annotated[str, Depends(require_key)]) -> None:
    caller = hashlib.sha256(key.encode()).hexdigest()  # the storage need not know the key itself
    if not limiter.hit(RATE_LIMIT, caller):
        free_at = limiter.get_window_stats(RATE_LIMIT, caller).reset_time
        seconds = max(1, math.ceil(free_at - time.time()))
        raise HTTPException(429, "Too many requests", headers={"Retry-After": str(seconds)})


async def generation_slot() -> AsyncIterator[None]:
    yield


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
    dependencies=[
        Depends(require_quota),
        Depends(generation_slot, max_concurrency=GENERATIONS_AT_ONCE),
    ],
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


app.add_middleware(
    CORSMiddleware,
    allow_origins=ALLOWED_ORIGINS,
    allow_methods=["GET", "POST"],
    allow_headers=["Content-Type", "X-API-Key"],
    expose_headers=["Retry-After"],
)
