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
    # TODO(1): refuse a body with any key that is not one of the three fields. It is a setting in model_config,
    # which is a ConfigDict.

    text: str = Field(
        # TODO(2): at least 1 character and at most 10000.
    )
    max_tokens: int = Field(
        default=512,
        # TODO(3): at least 1 and at most 4096.
    )
    temperature: float = Field(
        default=0.7,
        # TODO(4): at least 0 and at most 2.
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
