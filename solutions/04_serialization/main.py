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


class Prediction(BaseModel):
    id: int
    result: str
    model: str
    tokens_used: int


# response_model says what goes out; the return type says what the function hands over, for readers and editors.
@app.post("/predictions", status_code=201, response_model=Prediction)
def create_prediction(request: PredictionRequest, response: Response) -> store.Record:
    result = run_model(request.text, request.max_tokens, request.temperature)
    record = store.add(
        text=request.text,
        result=result,
        model=MODEL_NAME,
        tokens_used=len(result.split()),
    )
    response.headers["Location"] = f"/predictions/{record.id}"
    return record


@app.get("/predictions/{prediction_id}", response_model=Prediction)
def read_prediction(prediction_id: int) -> store.Record:
    record = store.get(prediction_id)
    if record is None:
        raise HTTPException(status_code=404, detail="Prediction not found")
    return record


@app.get("/predictions", response_model=list[Prediction])
def list_predictions(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[store.Record]:
    return store.latest(limit)
