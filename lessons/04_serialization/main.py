"""A prediction service that keeps what it predicted, and shows callers the part that is theirs."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

import store
from lessonkit.model import run_model

MODEL_NAME = "my-model-v1"

app = FastAPI(title="Prediction API", version="1.0.0")


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


class PredictionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=10000)
    max_tokens: int = Field(default=512, ge=1, le=4096)
    temperature: float = Field(default=0.7, ge=0, le=2)


# TODO(1): what a caller gets: id (a whole number), result (a string), model (a string) and tokens_used
#          (a whole number). A record of the store has more; these four are the promise.
class Prediction(BaseModel):
    pass


# TODO(2): answer POST /predictions with status 201. Call run_model as in lesson 1 and store the outcome:
#          store.add(text=…, result=…, model=MODEL_NAME, tokens_used=…) returns a record. Set the header
#          Location to the new prediction's own address, /predictions/ and its id. Return the record, with
#          response_model=Prediction in the decorator.


# TODO(3): answer GET /predictions/{prediction_id}. store.get(prediction_id) returns a record, or None for
#          an unknown id: that is a 404 with the detail "Prediction not found".


# TODO(4): answer GET /predictions?limit=… with the list that store.latest(limit) returns. limit is 20 when
#          it is left out, and at least 1 and at most 100; all else is refused.
