"""A prediction service that explains itself: what it takes, what it gives, and an example to try."""

from time import process_time

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from lessonkit.model import run_model

MODEL_NAME = "my-model-v1"

app = FastAPI(
    title="Prediction API",
    version="1.0.0",
    description="Continues a text with a small language model that runs on the server itself.",
)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/internal/metrics", include_in_schema=False)
def metrics() -> dict[str, float]:
    return {"cpu_seconds": process_time()}


class PredictionRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "A door", "max_tokens": 6, "temperature": 0}]},
    )

    text: str = Field(
        min_length=1,
        max_length=10000,
        description="The text that the model continues.",
    )
    max_tokens: int = Field(
        default=512,
        ge=1,
        le=4096,
        description="The most words that the model may add.",
    )
    temperature: float = Field(
        default=0.7,
        ge=0,
        le=2,
        description="0 gives the same answer every time; the higher, the more varied.",
    )


class PredictionResponse(BaseModel):
    result: str = Field(
        examples=["that lets everybody in at once"],
        description="The words that the model added, without the text that was sent.",
    )
    model: str = Field(
        examples=[MODEL_NAME],
        description="The name of the model that answered.",
    )
    tokens_used: int = Field(
        examples=[6],
        description="How many words `result` has.",
    )


@app.post(
    "/predict",
    tags=["predictions"],
    summary="Continue a text",
)
def predict(request: PredictionRequest) -> PredictionResponse:
    """The model starts from the last words of `text` and adds at most `max_tokens` words.

    It stops earlier where a paragraph would end.
    """
    result = run_model(request.text, request.max_tokens, request.temperature)
    return PredictionResponse(
        result=result,
        model=MODEL_NAME,
        tokens_used=len(result.split()),
    )
