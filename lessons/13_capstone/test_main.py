"""Tests of a completions service. They look at it from outside, so they fit any service that keeps the contract."""

import os

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


# TODO(1): go through the page of rules. For each rule, one test that fails when a service breaks it.
