"""A prediction service: one function behind HTTP, and a health check."""

from fastapi import FastAPI
from pydantic import BaseModel

from lessonkit.model import run_model

MODEL_NAME = "my-model-v1"

app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


class PredictionRequest(BaseModel):
    text: str
    max_tokens: int = 512
    temperature: float = 0.7


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
