"""The parts of the kit under the lesson on concurrency: slow models, bursts, timelines, a real server."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from lessonkit import slow_models, timeline
from lessonkit.at_once import Burst, TimedRequest, most_at_once, time_requests
from lessonkit.client import RecordingClient
from lessonkit.concurrency import OneOfSeveral, RecordedBurst, _start_anew
from lessonkit.model import run_model
from lessonkit.real_server import served
from lessonkit.slow_models import ModelError, Record, blocking_model, slow_model

TEXTS = ["one", "two", "three", "four", "five"]


@pytest.fixture(params=["slow_model", "blocking_model"])
def name(request: pytest.FixtureRequest) -> str:
    given: str = request.param
    return given


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Record:
    """A record without a clock, in the place of both models' own."""
    record = Record(instant=True)
    for name in slow_models.records:
        monkeypatch.setitem(slow_models.records, name, record)
    return record


async def ask(name: str, text: str) -> str:
    return await (slow_model(text) if name == "slow_model" else asyncio.to_thread(blocking_model, text))


async def ask_all(name: str, texts: list[str]) -> list[str]:
    return await asyncio.gather(*(ask(name, text) for text in texts))


def test_model_answers_as_the_tiny_model_does(name: str, record: Record) -> None:
    text = "The door is"
    assert asyncio.run(ask(name, text)) == run_model(text, slow_models.WORDS, 0.0)
    assert [(call.text, call.outcome) for call in record.calls] == [(text, "answered")]
    assert record.in_flight == 0
    assert record.peak == 1


def test_model_takes_its_time_outside_checks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_models, "SECONDS", 0.01)
    asyncio.run(ask(name, "The door is"))
    call = slow_models.records[name].calls[-1]
    assert call.ended is not None
    assert call.ended - call.began >= 0.009


def test_model_refuses_what_is_no_text(name: str, record: Record) -> None:
    with pytest.raises(TypeError, match="a str, and got"):
        asyncio.run(ask(name, ["no text"]))  # type: ignore[arg-type]
    assert record.calls[0].outcome == "failed"
    assert record.in_flight == 0


def test_hold_ends_when_enough_are_in_flight(name: str, record: Record) -> None:
    record.hold(until=5)
    asyncio.run(ask_all(name, TEXTS))
    assert (record.peak, record.in_flight, record.gave_up) == (5, 0, False)


def test_hold_gives_up_when_nobody_joins(name: str, record: Record) -> None:
    async def one_after_the_other() -> None:
        for text in TEXTS:
            await ask(name, text)

    record.hold(until=5, patience_ticks=2)
    asyncio.run(one_after_the_other())
    assert (record.peak, record.gave_up, len(record.calls)) == (1, True, 5)


def test_hold_shows_all_that_are_beyond_the_limit(record: Record) -> None:
    record.hold(until=2)
    asyncio.run(ask_all("slow_model", TEXTS))
    assert record.peak == 5


def test_last_goes_first(name: str, record: Record) -> None:
    record.hold(until=5, last_first=True)
    asyncio.run(ask_all(name, TEXTS))
    assert sorted(record.calls, key=lambda call: call.ended or 0) == record.calls[::-1]


def test_scripts(record: Record) -> None:
    record.answers = {"one": "first"}
    record.failing = {"two"}
    assert blocking_model("one") == "first"
    with pytest.raises(ModelError, match="no answer to 'two'"):
        blocking_model("two")


def test_one_that_fails_is_not_held_and_the_others_can_be_cancelled(record: Record) -> None:
    async def in_a_group() -> None:
        async with asyncio.TaskGroup() as group:
            for text in TEXTS:
                group.create_task(slow_model(text))

    record.failing = {"two"}
    record.hold()
    with pytest.raises(ExceptionGroup):
        asyncio.run(in_a_group())
    assert sorted(call.outcome for call in record.calls) == ["cancelled"] * 4 + ["failed"]
    assert (record.in_flight, record.gave_up) == (0, False)
    record.release()  # nobody is left, and nothing breaks


def test_wait_for_and_release_from_another_thread(record: Record) -> None:
    record.hold()
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(blocking_model, text) for text in TEXTS]
        assert record.wait_for(5) == 5
        assert not any(answer.done() for answer in answers)
        record.release()
    assert record.in_flight == 0


def test_forget_counts_from_now_on(record: Record) -> None:
    blocking_model("one")
    record.forget()
    assert (record.calls, record.peak) == ([], 0)


@pytest.fixture
def client() -> Iterator[RecordingClient]:
    """A recording client of an app where all of eight requests are in before one is answered; odd ones crash."""
    app = FastAPI()
    everyone = threading.Barrier(8)

    @app.post("/crash")
    def crash(text: int) -> str:
        print(f"printed by {text}")
        everyone.wait(5)
        if text % 2:
            raise RuntimeError(f"crash of {text}")
        return f"answer to {text}"

    printed: list[str] = []
    with RecordingClient(app, describe=str, printed=lambda: printed.pop() if printed else "") as client:
        yield client


def test_a_crash_belongs_to_its_own_request(client: RecordingClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: client.post(f"/crash?text={number}"), range(8)))
    assert [reply.status_code for reply in replies] == [200, 500] * 4
    crashes = {exchange.path: exchange.crash for exchange in client.exchanges}
    assert crashes == {f"/crash?text={n}": f"crash of {n}" if n % 2 else None for n in range(8)}


def test_a_burst_tells_the_most_telling_exchange_last() -> None:
    app = FastAPI()

    @app.post("/double")
    async def double(body: dict[str, int]) -> int:
        if body["number"] == 3:
            raise HTTPException(409)
        return 2 * body["number"]

    with RecordingClient(app, describe=str, printed=str) as client:
        replies = RecordedBurst(client, "/double", [{"number": number} for number in range(6)]).replies()
        client.get("/after")
    assert [reply.json() for reply in replies if reply.status_code == 200] == [0, 2, 4, 8, 10]
    shown = client.exchanges[5]
    assert isinstance(shown, OneOfSeveral)
    assert shown.sent() == 'POST /double {"number":3} and 5 more like it, all at once'
    assert shown.curl.startswith("for i in $(seq 6); do curl ")
    assert client.exchanges[6].path == "/after"


def test_requests_are_timed_with_the_models_part(record: Record) -> None:
    app = FastAPI()

    @app.post("/predict")
    async def predict(body: dict[str, str]) -> str:
        return await slow_model(body["text"])

    record.hold(until=6)
    with TestClient(app) as client:
        timed = time_requests(client, "/predict", 6)
    assert most_at_once(timed) == 6
    assert min(request.sent for request in timed) == 0
    for request in timed:
        assert request.began is not None
        assert request.done is not None
        assert request.sent <= request.began <= request.done <= request.ended
        assert request.waited == pytest.approx(request.began - request.sent)


def test_a_burst_passes_on_what_sending_raised() -> None:
    async def no_app(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("nobody is there")

    with pytest.raises(RuntimeError, match="nobody is there"):
        Burst(TestClient(no_app), "/", [{}, {}]).replies()


def test_most_at_once() -> None:
    first = TimedRequest(0, 3, 200, began=0, done=2)
    second = TimedRequest(0, 3, 200, began=1, done=3)
    third = TimedRequest(0, 3, 200, began=2, done=3)
    without_model = TimedRequest(0, 3, 200)
    assert most_at_once([first, second, third, without_model]) == 2
    assert most_at_once([without_model]) == 0


def test_a_timeline_says_in_words_what_it_shows() -> None:
    burst = [TimedRequest(0, 0.5, 200, began=0.1, done=0.4), TimedRequest(0, 1.25, 500)]
    picture = timeline({"a way": burst, "another": burst[:1]}, title="Two ways")
    assert repr(picture).splitlines() == [
        "Two ways",
        "a way: 2 requests at once, at most 1 in the model at a time, the last answered after 1.25 s",
        "another: 1 requests at once, at most 1 in the model at a time, the last answered after 0.50 s",
    ]
    html = picture._repr_html_()
    assert html.startswith("<img ")
    assert 'alt="Two ways\na way: 2 requests' in html
    left, _right = picture.figure.axes
    assert left.get_xlabel() == "seconds since sending"
    assert left.get_title() == "a way"


SERVED = """
import os
from fastapi import FastAPI

app = FastAPI()


@app.get("/word")
async def word() -> str:
    return os.environ["WORD"]
"""


def test_a_real_server_answers_and_ends_with_its_block() -> None:
    processes = []

    def fail_in_the_block() -> None:
        with served(SERVED, WORD="here") as server:
            processes.append(server.pid)
            assert asyncio.run(server.get_many("/word", 3)) == ["here"] * 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_block()
    assert not _lives(processes[0])


@pytest.mark.thorough
def test_a_real_server_ends_with_the_process_that_started_it() -> None:
    program = (
        "import os, sys\nfrom lessonkit.real_server import served\n"
        f"with served({SERVED!r}, WORD='x') as server:\n    print(server.pid, flush=True)\n    os._exit(0)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for _ in range(200):
        if not _lives(int(told.stdout)):
            return
        time.sleep(0.05)
    pytest.fail("the server outlived the process that started it")


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(RuntimeError, match="no_such_module"), served("import no_such_module"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on open files")
@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [pytest.param(256, 1_000, 700, id="raised"), pytest.param(256, 256, 156, id="fewer")],
)
def test_open_files_are_raised_as_far_as_the_system_lets(soft: int, hard: int, allowed: int) -> None:
    program = (
        f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from lessonkit.real_server import open_files\nprint(open_files(700))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(told.stdout) == allowed


def test_a_semaphore_begins_each_check_as_it_was_made() -> None:
    places = asyncio.Semaphore(2)

    async def leave_one_taken() -> None:
        await asyncio.gather(places.acquire(), places.acquire(), _give_back(places))
        await places.acquire()

    async def _give_back(places: asyncio.Semaphore) -> None:
        async with asyncio.timeout(1):
            places.release()
            await places.acquire()
            places.release()

    _start_anew()
    asyncio.run(leave_one_taken())
    _start_anew()
    assert places._value == 2
    asyncio.run(leave_one_taken())


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
