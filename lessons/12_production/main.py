"""An inference API, ready to run: settings, probes, an id for each request, spans, two workers."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Annotated, Any
from uuid import uuid4

import uvicorn
from anthropic import APIError, AsyncAnthropic
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CONNECT_SECONDS = 2.0
WORKER_SECONDS = 60  # for a worker to import everything; one that is slower is replaced
PROBES = ("/health", "/ready")


# TODO(1): class Settings(BaseSettings): anthropic_api_key (a SecretStr of at least 1 character, no default),
#          anthropic_base_url (an HttpUrl, HttpUrl("https://api.anthropic.com") when it is not set), default_model
#          ("claude-haiku-4-5-20251001"), host ("127.0.0.1") and port (8000).


# TODO(2): a function get_settings() under @lru_cache that returns Settings(), and a name for it as a dependency:
#          Configured = Annotated[Settings, Depends(get_settings)].


# TODO(3): the lifespan of lesson 8, with AsyncAnthropic(api_key=…, base_url=str(…)) made from get_settings(). Pass it to
#          FastAPI below: lifespan=lifespan. (/generate answers once TODO(6) is done as well.)


# TODO(4): is_probe(scope), which says whether scope["path"] is in PROBES. Pass it to FastAPI as well:
#          telemetry={"exclude": is_probe}.


app = FastAPI(
    title="AI Inference API",
    version="1.0.0",
)


# TODO(5): a function under @app.middleware("http") that puts an X-Request-ID on every answer: the caller's own where
#          REQUEST_ID.fullmatch(…) accepts it, else a new one, uuid4().hex.


def get_client(request: Request) -> AsyncAnthropic:
    return request.app.state.client


Client = Annotated[AsyncAnthropic, Depends(get_client)]


class GenerateRequest(BaseModel):
    prompt: str = Field(min_length=1, max_length=10_000)
    model: str | None = None
    max_tokens: int = Field(default=1024, ge=1, le=4096)


class GenerateResponse(BaseModel):
    text: str
    model: str
    input_tokens: int
    output_tokens: int


@app.post("/generate")
async def generate(
    request: GenerateRequest,
    client: Client,
) -> GenerateResponse:
    try:
        message = await client.messages.create(
            # TODO(6): model=…, the request's own or else the settings' default_model. The settings come in as one
            #          more parameter of generate: settings: Configured
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


class Health(BaseModel):
    status: str
    pid: int


# TODO(7): answer GET /health with the status "ok" and os.getpid(), whatever the upstream does.


# TODO(8): answer GET /ready with {"status": "ready"} when asyncio.open_connection(host, port) reaches the upstream within
#          CONNECT_SECONDS; with status 503 when it raises OSError. Close the writer that it gives.


# TODO(9): serve(): call get_settings(); on a ValidationError, sys.exit(…) with one sentence that names what is at fault:
#          str(fault["loc"][0]).upper() for each fault in error.errors(). Then uvicorn.run("main:app", …, workers=2,
#          timeout_worker_healthcheck=WORKER_SECONDS) with the settings' host and port. Call it when this file is run: if __name__ == "__main__": serve()
