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


# TODO(2): answer POST /predictions. One step after the other:
#          - in the decorator: status_code=201 and response_model=Prediction
#          - two parameters: request: PredictionRequest and response: Response
#          - call run_model, as in lesson 1
#          - store the outcome: store.add(text=…, result=…, model=MODEL_NAME, tokens_used=…) returns a record
#          - set response.headers["Location"] to the new prediction's address: /predictions/ and its id
#          - return the record


# TODO(3): answer GET /predictions/{prediction_id}, with response_model=Prediction again.
#          store.get(prediction_id) returns a record, or None for an unknown id: that is a 404 with the
#          detail "Prediction not found".


# TODO(4): answer GET /predictions with the list that store.latest(limit) returns; its promise is
#          list[Prediction]. limit is a query parameter: it stands in the function and not in the path. It is
#          20 when it is left out, at least 1 and at most 100; all else is refused.
