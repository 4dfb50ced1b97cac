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


# TODO(1): under @app.middleware("http"), a function that takes request and call_next. It sets
#          request.state.request_id to uuid4().hex, awaits call_next(request), which gives the response, and
#          returns that response with the id in its header X-Request-ID.


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


# TODO(2): a function problem_response(request, problem) that returns a JSONResponse with the problem's status
#          and the body {"error": {"code": …, "message": …, "request_id": request.state.request_id}}. A 503
#          also has the header Retry-After: 5. (It is used from the next step on.)


# TODO(3): under @app.exception_handler(UpstreamFailed), a function that takes request and error, in this order.
#          It writes one line into the log, logger.warning(…, exc_info=error), with the id in it, and returns
#          the problem_response for error.problem. Until the table is there, every failure is a 502.


FAILED = Problem(502, "model_failed", "The model failed.")
# TODO(4): more problems, in words of your own: BUSY (503), LATE (504), UNKNOWN_MODEL (404) and MISCONFIGURED
#          (500, its code has to be "misconfigured"). And a dict BY_STATUS from the status that the upstream
#          answered with to one of them: 429 and 529, 408 and 504, 404, 401 and 403. (It is used by the next step.)


def problem_of(error: APIError) -> Problem:
    """The table: what a caller is told of an exception of the SDK."""
    # TODO(5): an APIStatusError has a status_code: look it up with BY_STATUS.get(…, FAILED), for most statuses
    #          are not in it. An APITimeoutError has none, and is LATE.
    return FAILED


# TODO(6): under @app.exception_handler(RequestValidationError), a function that answers 422 with
#          {"detail": […]}: of each of error.errors() its type, its loc and its msg, and nothing else.


def get_client(request: Request) -> AsyncAnthropic:
    client: AsyncAnthropic = request.app.state.client
    # TODO(7): without a key, client.api_key is None: raise UpstreamFailed(MISCONFIGURED).
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
    # TODO(8): what comes with status 200 may be no message: then the call raises JSONDecodeError, or it gives
    #          something whose `type` is not "message", or that has none (getattr(message, "type", None)). Both
    #          are UpstreamFailed(FAILED).
    return GenerateResponse(
        text="".join(block.text for block in message.content if block.type == "text"),
        model=message.model,
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
    )


# TODO(9): back to the function of TODO(1). An exception that nobody foresaw comes out of call_next: catch it
#          there, write it into the log with logger.exception(…) and the id, and let the response be a
#          problem_response, with 500 and "internal_error". It gets its header as all others do.
