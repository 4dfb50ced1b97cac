"""An inference API: a prompt goes to a language model behind the network, its answer comes back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from anthropic import APIError, AsyncAnthropic
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

MODELS = ["claude-haiku-4-5-20251001", "claude-sonnet-4-6"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncAnthropic() as client:
        app.state.client = client
        yield


app = FastAPI(
    title="AI Inference API",
    version="1.0.0",
    lifespan=lifespan,
)


def get_client(request: Request) -> AsyncAnthropic:
    return request.app.state.client


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
        raise HTTPException(status_code=502, detail="The model failed") from error
    return GenerateResponse(
        text="".join(block.text for block in message.content if block.type == "text"),
        model=message.model,
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
    )
