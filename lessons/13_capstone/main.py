"""A completions service: answers, streams and jobs, each key with a quota of words."""

import asyncio
import math
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal
from uuid import uuid4

from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi.security import APIKeyHeader
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from lessonkit.model import run_model

MODEL_NAME = "my-model-v1"
HOUR_SECONDS = 3600
API_KEYS = [key.strip() for key in os.environ.get("API_KEYS", "").split(",") if key.strip()]
QUOTA_WORDS = int(os.environ.get("QUOTA_WORDS", "1000"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.used = Counter()  # words, for each key and hour
    app.state.jobs = {}
    app.state.tasks = {}  # of the jobs, by the same ids
    yield


app = FastAPI(title="Completions API", version="1.0.0", lifespan=lifespan)


# TODO(1): the models of openapi.json: CompletionRequest, Completion, JobRequest (a CompletionRequest and one
#          field more), Job, Quota. Unknown fields are refused.


# TODO(2): require_key, as in lesson 11: the header X-API-Key, 401 with WWW-Authenticate. For every operation.
#          The first two checks look at it through GET /quota, so they wait for the first half of TODO(3).
def require_key(key: Annotated[str, Depends(APIKeyHeader(name="X-API-Key"))]) -> str:
    pass


Key = Annotated[str, Depends(require_key)]


# TODO(3): GET /quota: what the key has used in this hour, in words, and what remains (0 at the least). Then a
#          dependency for the three operations that cost words: 429 with Retry-After when nothing remains.
#          That number moves with TODO(4), and the 429 is seen at all three, so it is judged after TODO(6).


# TODO(4): POST /completions: the model's text, and its number of words, which the key pays.
#          run_model(prompt, max_tokens, temperature) returns the text; left out, the last two are 512 and 0.7, which
#          is not what openapi.json says. It keeps its thread busy: `def`, or await asyncio.to_thread(…).


# TODO(5): POST /completions/stream: the same text as events `token`, in pieces, then one `done`.


# TODO(6): POST /jobs: keep the job in app.state.jobs, start a task that completes it, and answer 202 at once.
#          asyncio.create_task starts one; keep it in app.state.tasks, since one that nobody holds may be collected.
#          Whether a job is done is seen at GET /jobs/{job_id}: TODO(7) belongs to it.


# TODO(7): GET /jobs, GET /jobs/{job_id}, DELETE /jobs/{job_id}: the key's own jobs, and nobody else's.
