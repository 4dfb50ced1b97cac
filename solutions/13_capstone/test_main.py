"""Tests of a completions service. They look at it from outside, so they fit any service that keeps the contract."""

import os
import time

os.environ["API_KEYS"] = "ada,bob"  # read when main.py is imported, so this comes first
os.environ["QUOTA_WORDS"] = "20"

import pytest
from fastapi.testclient import TestClient

from main import app

ADA = {"X-API-Key": "ada"}
BOB = {"X-API-Key": "bob"}
PROMPT = {"prompt": "The door is", "max_tokens": 7}


@pytest.fixture
def client():
    """A service that has just been started: no jobs, full quotas."""
    with TestClient(app) as client:
        yield client


def test_text_is_completed(client):
    reply = client.post("/completions", headers=ADA, json=PROMPT)
    assert reply.status_code == 200
    completion = reply.json()
    assert completion["model"] == "my-model-v1"
    assert completion["tokens_used"] == len(completion["text"].split())


def quota(client, headers=ADA):
    return client.get("/quota", headers=headers).json()


def use_up(client, headers=ADA):
    """Ask until there are no words left; a limit, should that never be."""
    for _ in range(30):
        if client.post("/completions", headers=headers, json=PROMPT).status_code == 429:
            return
    pytest.fail("30 completions, and still words left")


def finished(client, job):
    """The job once it is queued no more; a limit, should that never be."""
    for _ in range(500):
        job = client.get(f"/jobs/{job['id']}", headers=ADA).json()
        if job["status"] != "queued":
            return job
        time.sleep(0.01)  # a job may take its time
    pytest.fail("the job stays queued")


def delayed_job(client, headers=ADA):
    return client.post("/jobs", headers=headers, json=PROMPT | {"start_after": 3600}).json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": None},
        {"prompt": ""},
        {"prompt": "a" * 10_001},
        {"max_tokens": 0},
        {"max_tokens": 4097},
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"stop": "."},
    ],
)
@pytest.mark.parametrize("path", ["/completions", "/completions/stream", "/jobs"])
def test_wrong_request_is_refused_and_costs_nothing(client, path, wrong):
    assert client.post(path, headers=ADA, json=PROMPT | wrong).status_code == 422
    assert quota(client)["used"] == 0


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "eve"}], ids=["none", "unknown"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/completions"),
        ("POST", "/completions/stream"),
        ("POST", "/jobs"),
        ("GET", "/jobs"),
        ("GET", "/jobs/1"),
        ("DELETE", "/jobs/1"),
        ("GET", "/quota"),
    ],
)
def test_key_is_needed(client, method, path, headers):
    reply = client.request(method, path, headers=headers, json=PROMPT if method == "POST" else None)
    assert reply.status_code == 401


def test_completion_costs_its_words(client):
    words = client.post("/completions", headers=ADA, json=PROMPT).json()["tokens_used"]
    assert quota(client) == {"limit": 20, "used": words, "remaining": 20 - words}


def test_each_key_has_a_quota_of_its_own(client):
    use_up(client, ADA)
    assert quota(client, BOB) == {"limit": 20, "used": 0, "remaining": 20}


@pytest.mark.parametrize("path", ["/completions", "/completions/stream", "/jobs"])
def test_used_up_quota_is_429(client, path):
    use_up(client)
    assert quota(client)["remaining"] == 0
    reply = client.post(path, headers=ADA, json=PROMPT)
    assert reply.status_code == 429
    assert 1 <= int(reply.headers["Retry-After"]) <= 3600


def test_stream_tells_the_same_text_and_costs_the_same(client):
    completion = client.post("/completions", headers=ADA, json=PROMPT).json()
    with client.sse("/completions/stream", method="POST", headers=ADA, json=PROMPT) as stream:
        *tokens, done = [(event.event, event.json()) for event in stream]
    assert {name for name, _ in tokens} == {"token"}
    assert "".join(data["text"] for _, data in tokens) == completion["text"]
    assert done == ("done", {"tokens_used": completion["tokens_used"]})
    assert quota(client)["used"] == 2 * completion["tokens_used"]


def test_job_is_done_in_the_end(client):
    reply = client.post("/jobs", headers=ADA, json=PROMPT)
    assert reply.status_code == 202
    assert reply.headers["Location"] == f"/jobs/{reply.json()['id']}"
    job = finished(client, reply.json())
    assert job["status"] == "done"
    assert quota(client)["used"] == job["tokens_used"] == len(job["text"].split())


def test_delayed_job_waits(client):
    job = delayed_job(client)
    for _ in range(20):
        assert client.get(f"/jobs/{job['id']}", headers=ADA).json()["status"] == "queued"


def test_queued_job_can_be_cancelled(client):
    path = f"/jobs/{delayed_job(client)['id']}"
    assert client.delete(path, headers=ADA).status_code == 204
    assert client.get(path, headers=ADA).json()["status"] == "cancelled"
    assert client.delete(path, headers=ADA).status_code == 409


def test_job_that_is_done_cannot_be_cancelled(client):
    job = finished(client, client.post("/jobs", headers=ADA, json=PROMPT).json())
    assert client.delete(f"/jobs/{job['id']}", headers=ADA).status_code == 409
    assert client.get(f"/jobs/{job['id']}", headers=ADA).json() == job


def test_unknown_job_is_404(client):
    assert client.get("/jobs/nobody", headers=ADA).status_code == 404
    assert client.delete("/jobs/nobody", headers=ADA).status_code == 404


def test_jobs_are_their_keys_own(client):
    path = f"/jobs/{delayed_job(client, ADA)['id']}"
    assert client.get(path, headers=BOB).status_code == 404
    assert client.delete(path, headers=BOB).status_code == 404
    assert client.get("/jobs", headers=BOB).json() == []
    assert client.get(path, headers=ADA).json()["status"] == "queued"


def test_jobs_are_listed_newest_first(client):
    made = [delayed_job(client)["id"] for _ in range(21)]
    newest_first = made[::-1]
    for limit, shown in {"?limit=2": 2, "": 20, "?limit=100": 21}.items():
        listed = client.get(f"/jobs{limit}", headers=ADA).json()
        assert [job["id"] for job in listed] == newest_first[:shown]
