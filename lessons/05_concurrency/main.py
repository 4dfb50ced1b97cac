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


# TODO(1): answer POST /predict with what slow_model(request.text) gives you. It is awaited.


# TODO(2): answer POST /predict/blocking with what blocking_model(request.text) gives you. It holds its
#          thread, so let FastAPI call your function in a thread of its own.


# TODO(3): what a caller sends and gets: texts, a list of 1 to 20 Text, and results, a list of strings.
class BatchRequest(BaseModel):
    pass


class BatchResponse(BaseModel):
    pass


# TODO(4): answer POST /predict/batch: call slow_model once for each text, with at most MOST_IN_FLIGHT calls
#          in flight at a time, and return the results in the order of the texts.


# TODO(5): in the same function, around the calls of TODO(4): when slow_model raises ModelError for one text,
#          cancel the calls that still run, and answer with status 502 and the detail "The model failed".
