"""A prediction service that explains itself: what it takes, what it gives, and an example to try."""

from time import process_time

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from lessonkit.model import run_model

MODEL_NAME = "my-model-v1"

app = FastAPI(
    # TODO(1): the title "Prediction API", the version "1.0.0", and a description: a sentence or two for
    #          the people who will call this service.
)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


# TODO(2): answer GET /internal/metrics, and keep it out of the docs. It tells operators what you like,
#          for example how busy the process was: {"cpu_seconds": process_time()}.


class PredictionRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        # TODO(3): publish an example, a whole request that a reader can copy and send.
    )

    # TODO(4): give each of the three fields a description.
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
    # TODO(5): give each of the three fields a description, beside its example.
    result: str = Field(
        examples=["that lets everybody in at once"],
    )
    model: str = Field(
        examples=[MODEL_NAME],
    )
    tokens_used: int = Field(
        examples=[6],
    )


# TODO(6): give the operation the tag "predictions", and a description, the function's docstring. FastAPI
#          makes the summary "Predict" from the function's name; put a few words of your own in its place.
@app.post(
    "/predict",
)
def predict(request: PredictionRequest) -> PredictionResponse:
    result = run_model(request.text, request.max_tokens, request.temperature)
    return PredictionResponse(
        result=result,
        model=MODEL_NAME,
        tokens_used=len(result.split()),
    )
