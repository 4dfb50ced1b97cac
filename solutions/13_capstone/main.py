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


class CompletionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=1, max_length=10_000)
    max_tokens: int = Field(default=64, ge=1, le=4096)
    temperature: float = Field(default=0, ge=0, le=2)


class Completion(BaseModel):
    text: str
    model: str
    tokens_used: int


class JobRequest(CompletionRequest):
    start_after: int = Field(default=0, ge=0, le=3600)


class Job(BaseModel):
    id: str
    status: Literal["queued", "done", "cancelled"] = "queued"
    text: str | None = None
    tokens_used: int | None = None
    owner: str = Field(exclude=True)


class Quota(BaseModel):
    limit: int
    used: int
    remaining: int


def require_key(key: Annotated[str, Depends(APIKeyHeader(name="X-API-Key"))]) -> str:
    presented = key.encode()
    if not any(secrets.compare_digest(presented, known.encode()) for known in API_KEYS):
        raise HTTPException(401, "Unknown API key", headers={"WWW-Authenticate": "APIKey"})
    return key


Key = Annotated[str, Depends(require_key)]


def this_hour() -> int:
    return int(time.time()) // HOUR_SECONDS


def quota_of(key: str) -> Quota:
    used = app.state.used[key, this_hour()]
    return Quota(limit=QUOTA_WORDS, used=used, remaining=max(0, QUOTA_WORDS - used))


def require_quota(key: Key) -> str:
    if quota_of(key).remaining == 0:
        seconds = math.ceil(HOUR_SECONDS - time.time() % HOUR_SECONDS)
        raise HTTPException(429, "No words left", headers={"Retry-After": str(seconds)})
    return key


PayingKey = Annotated[str, Depends(require_quota)]


@app.get("/quota")
def read_quota(key: Key) -> Quota:
    return quota_of(key)


def complete(request: CompletionRequest, key: str) -> Completion:
    text = run_model(request.prompt, request.max_tokens, request.temperature)
    words = len(text.split())
    app.state.used[key, this_hour()] += words
    return Completion(text=text, model=MODEL_NAME, tokens_used=words)


@app.post("/completions")
def create_completion(request: CompletionRequest, key: PayingKey) -> Completion:
    return complete(request, key)


@app.post("/completions/stream", response_class=EventSourceResponse)
async def stream_completion(request: CompletionRequest, key: PayingKey) -> AsyncIterator[ServerSentEvent]:
    completion = await asyncio.to_thread(complete, request, key)
    for piece in re.findall(r"\s*\S+\s*", completion.text):
        yield ServerSentEvent(event="token", data={"text": piece})
    yield ServerSentEvent(event="done", data={"tokens_used": completion.tokens_used})


async def run_job(job: Job, request: JobRequest) -> None:
    await asyncio.sleep(request.start_after)
    completion = await asyncio.to_thread(complete, request, job.owner)
    job.text, job.tokens_used, job.status = completion.text, completion.tokens_used, "done"


@app.post("/jobs", status_code=202)
async def create_job(request: JobRequest, key: PayingKey, response: Response) -> Job:
    job = Job(id=uuid4().hex, owner=key)
    app.state.jobs[job.id] = job
    app.state.tasks[job.id] = asyncio.create_task(run_job(job, request))
    response.headers["Location"] = f"/jobs/{job.id}"
    return job


@app.get("/jobs")
async def list_jobs(key: Key, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Job]:
    own = [job for job in app.state.jobs.values() if job.owner == key]
    return own[::-1][:limit]


def find_job(job_id: str, key: Key) -> Job:
    job = app.state.jobs.get(job_id)
    if job is None or job.owner != key:
        raise HTTPException(404, "Job not found")
    return job


FoundJob = Annotated[Job, Depends(find_job)]


@app.get("/jobs/{job_id}")
async def read_job(job: FoundJob) -> Job:
    return job


@app.delete("/jobs/{job_id}", status_code=204)
async def cancel_job(job: FoundJob) -> None:
    if job.status != "queued":
        raise HTTPException(409, f"The job is {job.status}")
    app.state.tasks[job.id].cancel()
    job.status = "cancelled"
