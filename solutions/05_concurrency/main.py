"""Predictions that take their time: awaited, in threads, and in batches."""

import asyncio
from typing import Annotated

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from lessonkit.slow_models import ModelError, blocking_model, slow_model

MOST_IN_FLIGHT = 5

# A type with its limits, under a name of its own: use Text where you would write str.
Text = Annotated[str, Field(min_length=1, max_length=10_000)]

app = FastAPI(title="Prediction API")


class PredictionRequest(BaseModel):
    text: Text


class PredictionResponse(BaseModel):
    result: str


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(request: PredictionRequest) -> PredictionResponse:
    return PredictionResponse(result=await slow_model(request.text))


@app.post("/predict/blocking")
def predict_blocking(request: PredictionRequest) -> PredictionResponse:
    return PredictionResponse(result=blocking_model(request.text))


class BatchRequest(BaseModel):
    texts: Annotated[list[Text], Field(min_length=1, max_length=20)]


class BatchResponse(BaseModel):
    results: list[str]


@app.post("/predict/batch")
async def predict_batch(request: BatchRequest) -> BatchResponse:
    places = asyncio.Semaphore(MOST_IN_FLIGHT)

    async def predict_one(text: str) -> str:
        async with places:
            return await slow_model(text)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(predict_one(text)) for text in request.texts]
    except* ModelError as failures:
        raise HTTPException(status_code=502, detail="The model failed") from failures
    return BatchResponse(results=[task.result() for task in tasks])
