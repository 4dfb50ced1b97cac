"""A prediction service: one function behind HTTP, and a health check."""

from fastapi import FastAPI
from pydantic import BaseModel

from lessonkit.model import run_model

MODEL_NAME = "my-model-v1"

app = FastAPI()

# TODO(1): answer GET /health with {"status": "ok"}.


# TODO(2): what a caller sends: text (a string, always needed),
#          max_tokens (a whole number, 512 when it is left out) and
#          temperature (a number, 0.7 when it is left out).
class PredictionRequest(BaseModel):
    pass


# TODO(3): what a caller gets: result (a string), model (a string) and
#          tokens_used (a whole number).
class PredictionResponse(BaseModel):
    pass


# TODO(4): answer POST /predict. Give the three fields of the request to the
#          model: run_model(text, max_tokens, temperature). Return a
#          PredictionResponse with what it returned, MODEL_NAME, and the
#          number of words in the result: len(result.split()).
