"""The record of the SDK's HTTP clients, and the stand-in as a program."""

import asyncio
import gc
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest

from lessonkit.upstream import Upstream
from lessonkit.upstream.clients import Clients, watch

ASKED: dict[str, Any] = {
    "model": "claude-haiku-4-5-20251001",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "The door is"}],
}


@pytest.fixture(scope="module")
def running() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def made(running: Upstream, monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "placeholder-key")
    watch().begin()
    return watch()


def test_a_client_counts_once_with_all_that_are_derived_from_it(made: Clients) -> None:
    with anthropic.Anthropic() as client:
        client.messages.create(**ASKED)
        client.with_options(max_retries=0).messages.create(**ASKED)
        client.copy(timeout=5).messages.create(**ASKED)
        assert (made.used, made.still_open) == (1, 1)
    assert (made.used, made.still_open) == (1, 0)


def test_a_client_that_sends_nothing_does_not_count(made: Clients) -> None:
    with anthropic.Anthropic():
        assert made.used == 0


def test_a_client_for_each_call_counts_each_time_and_the_collector_closes_none(made: Clients) -> None:
    for _ in range(3):
        anthropic.Anthropic().messages.create(**ASKED)
    gc.collect()
    assert (made.used, made.still_open) == (3, 3)


def test_a_stream_and_a_client_of_ones_own_count_too(made: Clients) -> None:
    with httpx2.Client() as own:
        for _ in range(2):
            with anthropic.Anthropic(http_client=own).messages.stream(**ASKED) as stream:
                stream.until_done()
        assert (made.used, made.still_open) == (1, 1)
    assert made.still_open == 0


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "left_open"])
def test_a_client_of_the_module_lives_again_on_the_next_loop(made: Clients, closed: bool) -> None:
    client = anthropic.AsyncAnthropic(max_retries=0)

    async def life() -> None:
        await asyncio.gather(*(client.messages.create(**ASKED) for _ in range(2)))
        if closed:
            await client.close()

    asyncio.run(client.close())  # a life that sent nothing
    for _ in range(2):
        made.begin()
        assert made.used == 0
        asyncio.run(life())
        assert (made.used, made.still_open) == (1, 0 if closed else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="a console program cannot be sent Ctrl-C there")
def test_program_says_what_to_set_and_ends_with_ctrl_c() -> None:
    program = [sys.executable, "-m", "lessonkit.upstream", "--port"]
    process = subprocess.Popen([*program, "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[4].rstrip(".")
        told = [process.stdout.readline() for _ in range(10)]
        assert f"  export ANTHROPIC_BASE_URL={url}\n" in told
        assert f'  $env:ANTHROPIC_BASE_URL = "{url}"\n' in told
        with anthropic.Anthropic(base_url=url, api_key="placeholder-key") as client:
            assert client.messages.create(**ASKED).content
        taken = subprocess.run([*program, url.rpartition(":")[2]], capture_output=True, text=True)
        assert taken.returncode == 1
        assert "--port 0" in taken.stdout
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
