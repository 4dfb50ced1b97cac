"""The fixtures `clock`, `comparisons`, `anew` and `upload`, on a course of one lesson."""

from pathlib import Path

import pytest
from tests.course import miniature

from lessonkit.course import Lesson
from lessonkit.report import CheckResult
from lessonkit.runner import run

SUITE = '''"""A greeting."""

import time

from lessonkit import expected, json_body, task
from lessonkit.comparisons import on_record

ENVIRONMENT = {"SECRET": on_record("open sesame"), "NAME": "first"}


def told(client):
    return json_body(client.get("/greeting"))


@task("GET /greeting", hints=["Look."])
def test_clock(clock, client):
    """Time stands still, and moves for the learner's code in all its clocks."""
    before = time.monotonic()
    first, second = told(client), told(client)
    assert first["clocks"] == second["clocks"], expected("one moment", next_step=str((first, second)))
    clock.move(90)
    third = told(client)
    passed = [b - a for a, b in zip(first["clocks"], third["clocks"])]
    assert all(abs(one - 90) < 0.001 for one in passed), expected("90 seconds", next_step=str(passed))
    assert time.monotonic() - before < 60, expected("the kit's own clock to go on", next_step="…")


@task("GET /greeting", hints=["Look."])
def test_next_day(clock, client):
    """The next check is on another day."""
    days = [one // 86_400 for one in told(client)["clocks"]]
    assert days[0] - told(client)["first_day"] >= 1, expected("a later day", next_step=str(days))


@task("GET /greeting", hints=["Look."])
def test_comparisons(client, comparisons):
    """Comparisons are on record, however compare_digest was imported."""
    told(client)
    assert comparisons.sides == [b"open sesame", b"hmac", b"open sesame", b"secrets"], expected(
        "both", next_step=str(comparisons.sides)
    )


@task("GET /greeting", hints=["Look."])
def test_anew(client, anew):
    """Two further instances share nothing but the environment."""
    second, third = anew(NAME="second"), anew(NAME="third")
    names = [told(one)["name"] for one in (client, second, third)]
    assert names == ["first", "second", "third"], expected("three", next_step=str(names))
    counts = [told(one)["count"] for one in (second, third)]
    assert counts == [2, 2], expected("counts of their own", next_step=str(counts))


@task("POST /greeting", hints=["Look."])
def test_upload(client, upload):
    """Pieces are counted as the app asks for them, and silence is told."""
    sent = upload("/greeting", [b"a" * 10] * 8, {"X-Stop": "30"})
    assert (sent.status, sent.taken, sent.answer) == (200, 4, "40"), expected("4", next_step=str(sent))
    sent = upload("/greeting", [b"a"], {"X-Stop": "never"})
    assert (sent.status, sent.taken) == (None, 1), expected("no answer", next_step=str(sent))
'''

SOLUTION = '''"""A greeting."""

import asyncio
import hmac
import os
import time
from datetime import UTC, datetime
from secrets import compare_digest
from time import monotonic

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

app = FastAPI()
counts = []
days = []


@app.get("/greeting")
def greeting():
    counts.append(1)
    hmac.compare_digest(os.environ["SECRET"], "hmac")
    compare_digest(os.environ["SECRET"].encode(), b"secrets")
    clocks = [time.time(), datetime.now(UTC).timestamp(), time.monotonic(), monotonic()]
    days.append(clocks[0] // 86_400)
    return {"clocks": clocks, "first_day": days[0], "name": NAME, "count": len(counts)}


NAME = os.environ["NAME"]


@app.post("/greeting")
async def count(request: Request):
    if request.headers["x-stop"] == "never":
        await request.body()
        await asyncio.Event().wait()
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > int(request.headers["x-stop"]):
            break
    return PlainTextResponse(str(size))
'''


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CheckResult]:
    lesson: Lesson = miniature.make(Path(tmp_path_factory.mktemp("course")))
    lesson.suite.write_text(SUITE, encoding="utf-8")
    (lesson.solution / "main.py").write_text(SOLUTION, encoding="utf-8")
    report = run(lesson, "solution")
    assert report.error is None, report.error
    return {check.id: check for check in report.checks}


@pytest.mark.parametrize(
    "name", ["test_clock", "test_next_day", "test_comparisons", "test_anew", "test_upload"]
)
def test_fixture(checks: dict[str, CheckResult], name: str) -> None:
    assert checks[name].passed, checks[name].message
