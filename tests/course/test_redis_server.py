"""The real Redis of a check: it answers, it ends, and where there is none its checks are left out."""

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from tests.course import miniature

from lessonkit import redis_server
from lessonkit.author import truth
from lessonkit.course import Lesson
from lessonkit.mistakes import Mistake

needs_redis = pytest.mark.skipif(
    not redis_server.is_installed() and not os.environ.get("CI"),
    reason="there is no redis-server here; CI has one and never leaves this out",
)

SUITE = '''"""A greeting."""

from lessonkit import expected, task


@task("GET /greeting", hints=["Look."])
def test_with_redis(client, redis_url):
    """A check that needs Redis."""
    assert client.get("/greeting").status_code == 200, expected("a greeting", next_step="Greet.")


@task("GET /greeting", hints=["Look."])
def test_without(client):
    """A check that needs none."""
    assert client.get("/greeting").status_code == 200, expected("a greeting", next_step="Greet.")
'''


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    made = miniature.make(tmp_path)
    made.suite.write_text(SUITE, encoding="utf-8")
    return made


@needs_redis
def test_two_limiters_share_one_count_and_each_server_begins_empty() -> None:
    limit = parse("2/minute")
    for _ in range(2):
        with redis_server.running() as url:
            limiters = [FixedWindowRateLimiter(storage_from_string(url)) for _ in range(2)]
            found = [limiters[number % 2].hit(limit, "ada") for number in range(4)]
            assert found == [True, True, False, False]


@needs_redis
def test_the_server_ends_with_its_block_and_listens_on_loopback_alone() -> None:
    with redis_server.running() as url:
        place = urlsplit(url)
        assert place.hostname == "127.0.0.1"
        told: Any = redis.Redis.from_url(url).config_get("bind")
        assert told["bind"] == "127.0.0.1"
    with socket.socket() as one:
        assert one.connect_ex(("127.0.0.1", place.port or 0)) != 0


def test_a_machine_without_redis_leaves_out_what_needs_it(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(redis_server, "is_installed", lambda: False)
    assert redis_server.left_out(lesson) == {"test_with_redis"}
    monkeypatch.setenv("CI", "1")
    assert redis_server.left_out(lesson) == set()


def test_the_report_has_one_check_less_where_there_is_no_redis(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lessonkit.runner import run

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PATH", "")
    report = run(lesson, "solution", warm=False)
    assert [check.id for check in report.checks] == ["test_without"]


def test_a_mistake_that_only_redis_shows_may_pass_where_there_is_none() -> None:
    mistake = Mistake("11", "mistake", "a", "b", ("test_with_redis",), ("words",))
    assert truth._seen_here(mistake, {"test_with_redis"}).caught_by == ()
    assert truth._seen_here(mistake, {"test_with_redis"}).says == ()
    assert truth._seen_here(mistake, set()) == mistake
