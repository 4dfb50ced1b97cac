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


class Settings(BaseSettings):
    anthropic_api_key: SecretStr = Field(min_length=1)
    anthropic_base_url: HttpUrl = HttpUrl("https://api.anthropic.com")
    default_model: str = "claude-haiku-4-5-20251001"
    host: str = "127.0.0.1"
    port: int = 8000


@lru_cache
def get_settings() -> Settings:
    return Settings()


Configured = Annotated[Settings, Depends(get_settings)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = get_settings()
    key = settings.anthropic_api_key.get_secret_value()
    async with AsyncAnthropic(api_key=key, base_url=str(settings.anthropic_base_url)) as client:
        app.state.client = client
        yield


def is_probe(scope: dict[str, Any]) -> bool:
    return scope["path"] in PROBES


app = FastAPI(
    title="AI Inference API",
    version="1.0.0",
    lifespan=lifespan,
    telemetry={"exclude": is_probe},
)


@app.middleware("http")
async def carry_request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request_id = request.headers.get("X-Request-ID", "")
    if not REQUEST_ID.fullmatch(request_id):
        request_id = uuid4().hex
    response = await call_next(request)
    response.headers["X-Request-ID"] = request_id
    return response


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
    settings: Configured,
) -> GenerateResponse:
    try:
        message = await client.messages.create(
            model=request.model or settings.default_model,
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


@app.get("/health")
async def health() -> Health:
    return Health(status="ok", pid=os.getpid())


@app.get("/ready")
async def ready(settings: Configured) -> dict[str, str]:
    url = settings.anthropic_base_url
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(url.host, url.port)
    except OSError as error:  # refused, unknown host, or too slow
        raise HTTPException(status_code=503, detail="The upstream cannot be reached") from error
    writer.close()
    return {"status": "ready"}


def serve() -> None:
    try:
        settings = get_settings()
    except ValidationError as error:
        names = ", ".join(str(fault["loc"][0]).upper() for fault in error.errors())
        sys.exit(f"Not started: set {names} in the environment.")
    uvicorn.run(
        "main:app",
        host=settings.host,
        port=settings.port,
        workers=2,
        timeout_worker_healthcheck=WORKER_SECONDS,
    )


if __name__ == "__main__":
    serve()
