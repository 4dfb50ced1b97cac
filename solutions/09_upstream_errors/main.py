"""An inference API whose failures are answers too: one table, one shape, and an id to find them by."""

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from json import JSONDecodeError
from typing import Annotated, NamedTuple
from uuid import uuid4

from anthropic import APIError, APIStatusError, APITimeoutError, AsyncAnthropic
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

MODELS = ["claude-haiku-4-5-20251001", "claude-sonnet-4-6"]

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    time_limit = float(os.environ.get("UPSTREAM_TIMEOUT_SECONDS", "30"))
    async with AsyncAnthropic(timeout=time_limit) as client:
        app.state.client = client
        yield


app = FastAPI(title="AI Inference API", version="1.0.0", lifespan=lifespan)


@app.middleware("http")
async def give_an_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request.state.request_id = uuid4().hex
    try:
        response = await call_next(request)
    except Exception:
        logger.exception("Request %s: unexpected exception", request.state.request_id)
        response = problem_response(request, UNEXPECTED)
    response.headers["X-Request-ID"] = request.state.request_id
    return response


class Problem(NamedTuple):
    """What a caller is told of a failure."""

    status_code: int
    code: str
    message: str


class UpstreamFailed(Exception):
    """A call of the model failed; `problem` is what the caller is told."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    """The one shape of a failure."""
    error = {
        "code": problem.code,
        "message": problem.message,
        "request_id": request.state.request_id,
    }
    headers = {"Retry-After": "5"} if problem.status_code == 503 else None
    return JSONResponse({"error": error}, status_code=problem.status_code, headers=headers)


@app.exception_handler(UpstreamFailed)
async def tell_of_upstream(request: Request, error: UpstreamFailed) -> JSONResponse:
    logger.warning("Request %s: %s", request.state.request_id, error, exc_info=error)
    return problem_response(request, error.problem)


FAILED = Problem(502, "model_failed", "The model failed.")
BUSY = Problem(503, "model_busy", "The model is busy. Try again in a few seconds.")
LATE = Problem(504, "model_timeout", "The model did not answer in time.")
UNKNOWN_MODEL = Problem(404, "unknown_model", "There is no model of that name.")
MISCONFIGURED = Problem(500, "misconfigured", "This service is not set up correctly.")
UNEXPECTED = Problem(500, "internal_error", "Something went wrong on our side.")

BY_STATUS = {
    401: MISCONFIGURED,
    403: MISCONFIGURED,
    404: UNKNOWN_MODEL,
    408: LATE,
    429: BUSY,
    504: LATE,
    529: BUSY,
}


def problem_of(error: APIError) -> Problem:
    """The table: what a caller is told of an exception of the SDK."""
    if isinstance(error, APIStatusError):
        return BY_STATUS.get(error.status_code, FAILED)
    if isinstance(error, APITimeoutError):
        return LATE
    return FAILED


@app.exception_handler(RequestValidationError)
async def refuse(request: Request, error: RequestValidationError) -> JSONResponse:
    errors = [{key: one[key] for key in ("type", "loc", "msg")} for one in error.errors()]
    return JSONResponse({"detail": errors}, status_code=422)


def get_client(request: Request) -> AsyncAnthropic:
    client: AsyncAnthropic = request.app.state.client
    if client.api_key is None:
        raise UpstreamFailed(MISCONFIGURED)
    return client


Client = Annotated[AsyncAnthropic, Depends(get_client)]


@app.get("/models")
async def list_models() -> dict[str, list[str]]:
    return {"models": MODELS}


class GenerateRequest(BaseModel):
    prompt: str = Field(min_length=1, max_length=10_000)
    model: str = MODELS[0]
    max_tokens: int = Field(default=1024, ge=1, le=4096)


class GenerateResponse(BaseModel):
    text: str
    model: str
    input_tokens: int
    output_tokens: int


@app.post("/generate")
async def generate(request: GenerateRequest, client: Client) -> GenerateResponse:
    try:
        message = await client.messages.create(
            model=request.model,
            max_tokens=request.max_tokens,
            messages=[{"role": "user", "content": request.prompt}],
        )
    except APIError as error:
        raise UpstreamFailed(problem_of(error)) from error
    except JSONDecodeError as error:
        raise UpstreamFailed(FAILED) from error
    if getattr(message, "type", None) != "message":
        raise UpstreamFailed(FAILED)
    return GenerateResponse(
        text="".join(block.text for block in message.content if block.type == "text"),
        model=message.model,
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
    )
