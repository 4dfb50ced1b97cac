"""What a failure's message says beside the words of its check."""

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lessonkit.messages import for_assertion
from lessonkit.report import Exchange, parts
from lessonkit.suite import expected

STEP = "Do what the check says."


def exchange(
    crash: str | None = None, status: int = 500, answer: str = "", headers: dict[str, str] | None = None
) -> Exchange:
    curl = "curl http://127.0.0.1:8000/generate"
    return Exchange("POST", "/generate", "{}", curl, status, answer, crash, headers=headers or {})


def next_step(
    last: Exchange, wanted: str = "200", step: str = STEP, crashes: dict[str, str] | None = None
) -> str:
    message = for_assertion(expected(wanted, next_step=step), [last], (), crashes or {})
    return dict(parts(message))["Next step"]


@pytest.mark.parametrize(
    ("crash", "first"),
    [
        ("TypeError: 'NoneType' object is not callable", "End every middleware with `return response`."),
        ("RuntimeError: No response returned.", "End every middleware with `return response`."),
        (
            "AttributeError: 'coroutine' object has no attribute 'headers' (main.py line 9: x)",
            "Write `await` in front of the call that gave it.",
        ),
        (
            "AttributeError: 'HTTPException' object has no attribute 'encode' (main.py line 9: x)",
            "Write `raise HTTPException(…)`: it is raised, and not returned.",
        ),
        (
            "HTTPException: 413: Too large (main.py line 9: x)",
            "HTTPException is for endpoints and dependencies; in a middleware, return a JSONResponse.",
        ),
    ],
)
def test_what_a_crash_tells_comes_first(crash: str, first: str) -> None:
    assert next_step(exchange(crash)) == f"{first} {STEP}"


@pytest.mark.parametrize(
    "crash",
    [
        None,
        "ValueError: too long (main.py line 9: x)",
        "TypeError: 'NoneType' object is not callable (main.py line 9: x())",
    ],
)
def test_what_only_the_check_knows_is_left_to_it(crash: str | None) -> None:
    assert next_step(exchange(crash)) == STEP


def test_nothing_is_said_twice() -> None:
    crash = "AttributeError: 'coroutine' object has no attribute 'text'"
    step = "Write `await` before client.messages.create(…)."
    assert next_step(exchange(crash), step=step) == step


def test_causes_of_the_suite_come_before_the_others() -> None:
    crash = "AttributeError: 'coroutine' object has no attribute 'text'"
    own = {r"'coroutine'": "Await call_next(request)."}
    assert next_step(exchange(crash), crashes=own) == f"Await call_next(request). {STEP}"


def missing(*where: str) -> str:
    return json.dumps({"detail": [{"type": "missing", "loc": where, "msg": "Field required"}]})


def test_parameter_that_became_one_of_the_query_is_named() -> None:
    told = next_step(exchange(status=422, answer=missing("query", "settings")))
    assert told.startswith("FastAPI takes `settings` for a parameter of the query")
    assert told.endswith(STEP)


def test_second_model_among_the_parameters_is_told() -> None:
    """As FastAPI itself answers, asked for real: both models become keys of the body."""

    class Prompt(BaseModel):
        prompt: str

    app = FastAPI()

    @app.post("/generate")
    def generate(request: Prompt, settings: Prompt) -> None: ...

    reply = TestClient(app).post("/generate", json={"prompt": "a"})
    told = next_step(exchange(status=reply.status_code, answer=reply.text))
    assert told.startswith("FastAPI takes `request` and `settings` for parts of the body, a key each")


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (missing("query", "settings"), "422, for the query has no settings"),
        (missing("body", "prompt"), "200"),
        (
            json.dumps({"detail": [{"type": "int_parsing", "loc": ["query", "limit"], "msg": "no int"}]}),
            "200",
        ),
        ('{"detail": "no"}', "200"),
        ("no JSON", "200"),
    ],
)
def test_other_refusals_are_left_to_the_check(answer: str, wanted: str) -> None:
    assert next_step(exchange(status=422, answer=answer), wanted) == STEP


def test_chosen_headers_are_shown_with_what_was_sent() -> None:
    message = for_assertion(
        expected("401", next_step=STEP),
        [exchange(headers={"X-API-Key": "ada", "Origin": "https://a.example"})],
    )
    assert dict(parts(message))["Sent"] == "POST /generate {} with X-API-Key: ada, Origin: https://a.example"


def test_command_that_serves_the_app_stands_before_the_one_that_repeats_the_request() -> None:
    serve = "API_KEYS=ada uv run lesson serve 11"
    message = for_assertion(expected("401", next_step=STEP), [exchange()], serve=serve)
    assert [label for label, _ in parts(message)][:3] == ["Sent", "Serve it", "Repeat it"]
    assert dict(parts(message))["Serve it"] == serve
