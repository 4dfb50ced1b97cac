"""A prediction service that refuses what it cannot use: limits on every field, and no other keys."""

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from lessonkit.model import run_model

MODEL_NAME = "my-model-v1"

app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


class PredictionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(
        min_length=1,
        max_length=10000,
    )
    max_tokens: int = Field(
        default=512,
        ge=1,
        le=4096,
    )
    temperature: float = Field(
        default=0.7,
        ge=0,
        le=2,
    )


class PredictionResponse(BaseModel):
    result: str
    model: str
    tokens_used: int


@app.post("/predict")
def predict(request: PredictionRequest) -> PredictionResponse:
    result = run_model(request.text, request.max_tokens, request.temperature)
    return PredictionResponse(
        result=result,
        model=MODEL_NAME,
        tokens_used=len(result.split()),
    )
