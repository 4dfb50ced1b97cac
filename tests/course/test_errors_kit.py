"""The fixtures `logs`, `anew` and `extra_route`, on a course of one lesson, and a silence of the stand-in that ends."""

from pathlib import Path

import anthropic
import pytest
from tests.course import miniature

from lessonkit.course import Lesson
from lessonkit.report import Report
from lessonkit.runner import run
from lessonkit.upstream import Silence, Upstream

SUITE = '''"""A greeting."""

import logging

from lessonkit import expected, json_body, task


@task("GET /greeting", hints=["Read the environment."])
def test_anew(anew):
    """The environment is read again, and a variable can be taken away."""
    assert json_body(anew(NAME="Ada").get("/greeting")) == "Ada", expected("Ada", next_step="Read it.")
    assert json_body(anew(NAME=None).get("/greeting")) == "you", expected("you", next_step="Have a default.")


@task("GET /greeting", hints=["Write a record."])
def test_logs(client, logs):
    """A filter's attribute counts, propagation does not matter, and nothing is told twice."""
    client.get("/greeting")
    found = logs.with_text("id-7")
    assert [one.level for one in found] == [logging.WARNING], expected(str(logs.records), next_step="Log it.")
    assert "ValueError: too long (main.py line" in logs.exception, expected(logs.exception, next_step="Log it.")


@task("GET /greeting", hints=["Handle it."])
def test_extra_route(client, extra_route):
    """An endpoint is added before all others, and is gone afterwards."""
    assert json_body(client.get(extra_route(lambda: "mine"))) == "mine", expected("mine", next_step="Nothing.")


@task("GET /greeting", hints=["Handle it."])
def test_extra_route_is_gone(client):
    """Gone."""
    assert client.get("/added-by-a-check").text == '"caught"', expected("caught", next_step="Nothing.")
'''

SOLUTION = '''"""A greeting."""

import logging
import os

from fastapi import FastAPI

app = FastAPI()
name = os.environ.get("NAME", "you")
logger = logging.getLogger("greeting")
logger.propagate = False


class Filter(logging.Filter):
    def filter(self, record):
        record.request_id = "id-7"
        return True


handler = logging.NullHandler()
handler.addFilter(Filter())
logger.addHandler(handler)


@app.get("/greeting")
def greeting() -> str:
    try:
        raise ValueError("too long")
    except ValueError:
        logger.warning("a greeting", exc_info=True, extra={"request_id": "id-7"})
    logger.info("not at this level")
    return name


@app.get("/{path}")
def anything(path: str) -> str:
    return "caught"
'''


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    made = miniature.make(tmp_path)
    made.suite.write_text(SUITE, encoding="utf-8")
    (made.solution / "main.py").write_text(SOLUTION, encoding="utf-8")
    return made


def failed(report: Report) -> dict[str, str]:
    assert report.error is None, report.error
    return {check.name: check.message or "" for check in report.failures}


def test_all_hold_on_a_right_answer(lesson: Lesson) -> None:
    assert not failed(run(lesson, "solution"))


def test_app_that_does_not_start_anew_is_told(lesson: Lesson) -> None:
    miniature.edit(
        lesson.solution / "main.py", 'os.environ.get("NAME", "you")', 'os.environ.get("NAME", "you")[:9]'
    )
    miniature.edit(
        lesson.solution / "main.py",
        "app = FastAPI()",
        'app = FastAPI()\nif os.environ.get("NAME") == "Ada":\n    raise KeyError("NAME")',
    )
    message = failed(run(lesson, "solution"))["test_anew"]
    assert "Expected: main.py to be imported with NAME=Ada" in message
    assert "KeyError" in message


def test_silence_with_ticks_ends_in_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = Upstream()
    upstream.always(Silence(ticks=5))
    try:
        with anthropic.Anthropic(base_url=upstream.url, api_key="placeholder-key", timeout=10) as client:
            message = client.messages.create(
                model="claude-haiku-4-5-20251001", max_tokens=5, messages=[{"role": "user", "content": "Hi"}]
            )
        assert message.content
    finally:
        upstream.close()
