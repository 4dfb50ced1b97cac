"""A served app: it follows saves, says what is wrong, has its documentation offline, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest
from tests.course import miniature

from lessonkit.course import Lesson, LessonError
from lessonkit.live import LiveServer, handle, serve
from lessonkit.packages import packages_of

pytestmark = pytest.mark.thorough  # each test starts a server of its own

PATIENCE_SECONDS = 60
LOOP = "while True:\n    pass\n"


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    lesson = miniature.make(tmp_path / "a course, é")
    lesson.work.mkdir(parents=True)
    save(lesson, miniature.SOLUTION)
    return lesson


@pytest.fixture
def server(lesson: Lesson) -> Iterator[LiveServer]:
    server = serve(lesson, lesson.work, log=lesson.root / "log.txt")
    yield server
    server.stop()


@pytest.fixture
def web(server: LiveServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        yield client


def save(lesson: Lesson, text: str) -> None:
    (lesson.work / "main.py").write_text(text, encoding="utf-8")


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def status(web: httpx2.Client, path: str = "/greeting") -> int:
    """The status of an answer; 0 while a server that began anew cuts its connections."""
    with suppress(httpx2.TransportError):
        return web.get(path).status_code
    return 0


def text(web: httpx2.Client, path: str = "/greeting") -> str:
    """The text of an answer; empty while a server that began anew cuts its connections.

    It does so on a busy machine, where a save comes before the one before it is loaded.
    """
    with suppress(httpx2.TransportError):
        return web.get(path).text
    return ""


def test_a_save_is_served(lesson: Lesson, web: httpx2.Client) -> None:
    assert web.get("/greeting").json() == {"text": "hello you"}
    save(lesson, miniature.SOLUTION.replace("hello", "good day"))
    wait_until(lambda: text(web) == '{"text":"good day you"}')


def test_a_broken_save_says_why_and_the_next_one_recovers(lesson: Lesson, web: httpx2.Client) -> None:
    save(lesson, "app =")
    wait_until(lambda: "main.py line 1 is not valid Python" in text(web))
    assert status(web) == 503
    page = web.get("/docs", headers={"accept": "text/html"})
    assert "main.py line 1 is not valid Python" in page.text
    save(lesson, miniature.SOLUTION)
    wait_until(lambda: status(web) == 200)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("raise SystemExit(1)", "ends the program", id="exit"),
        pytest.param("1 / 0", "ZeroDivisionError", id="exception"),
    ],
)
def test_code_that_ends_at_import_does_not_end_the_server(
    lesson: Lesson, web: httpx2.Client, line: str, says: str
) -> None:
    save(lesson, miniature.SOLUTION + line)
    wait_until(lambda: status(web) == 503)
    assert says in web.get("/greeting").text


def test_a_lifespan_that_fails_is_told_and_a_good_one_is_run(lesson: Lesson, web: httpx2.Client) -> None:
    lifespan = (
        "from contextlib import asynccontextmanager\n\n@asynccontextmanager\nasync def lifespan(app):\n"
        "    {line}\n    yield\n    (__import__('pathlib').Path(__file__).parent / 'ended').touch()\n\n"
    )
    with_it = miniature.SOLUTION.replace("app = FastAPI()", lifespan + "app = FastAPI(lifespan=lifespan)")
    save(lesson, with_it.replace("{line}", "raise ValueError('no key')"))
    wait_until(lambda: status(web) == 503)
    assert "ValueError: no key" in web.get("/greeting").text
    save(
        lesson,
        with_it.replace("{line}", "app.state.name = 'Ada'").replace("hello {name}", "{app.state.name}"),
    )
    wait_until(lambda: status(web) == 200)
    assert web.get("/greeting").json() == {"text": "Ada"}
    save(lesson, miniature.SOLUTION)
    wait_until((lesson.work / "ended").exists)


@pytest.fixture
def _short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handle, "LOAD_SECONDS", 3.0)


@pytest.mark.usefixtures("_short_limit")
def test_endless_loops_are_told_and_left_by_the_next_save(
    lesson: Lesson, web: httpx2.Client, server: LiveServer
) -> None:
    save(lesson, LOOP)
    wait_until(lambda: status(web) == 503)
    assert "did not finish loading" in web.get("/greeting").text
    handler = (
        'app = FastAPI()\n\n@app.get("/loop")\nasync def loop() -> None:\n    while True:\n        pass\n\n'
    )
    save(lesson, miniature.SOLUTION.replace("app = FastAPI()\n", handler))
    wait_until(lambda: status(web) == 200)
    with pytest.raises(httpx2.ReadTimeout):
        web.get("/loop", timeout=1)
    save(lesson, miniature.SOLUTION)
    wait_until(lambda: status(web) == 200)
    assert not server.ended


def test_a_save_while_a_load_hangs_is_served(lesson: Lesson, web: httpx2.Client) -> None:
    save(lesson, LOOP)
    with suppress(httpx2.TransportError):
        web.get("/greeting", timeout=1)  # nobody answers now
    save(lesson, miniature.SOLUTION)
    wait_until(lambda: status(web) == 200)


def test_a_lifespan_without_yield_is_told_and_left(lesson: Lesson, web: httpx2.Client) -> None:
    lifespan = "async def lifespan(app):\n    pass\n\n"
    save(
        lesson,
        miniature.SOLUTION.replace("app = FastAPI()", lifespan + "app = FastAPI(lifespan=lifespan)"),
    )
    wait_until(lambda: status(web) == 503)
    assert "The app does not start" in web.get("/greeting").text
    save(lesson, miniature.SOLUTION)
    wait_until(lambda: status(web) == 200)


@pytest.mark.parametrize("prefix", ["", "/user/ada/proxy/8000"])
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_documentation_needs_no_internet(web: httpx2.Client, page: str, prefix: str) -> None:
    headers = {"x-forwarded-context": prefix} if prefix else {}
    shown = web.get(page, headers=headers)
    sources = re.findall(r'(?:src|href)="([^"]+)"', shown.text)
    assert [source for source in sources if source.startswith(f"{prefix}/_lesson/files/")] == sources != []
    for source in sources:
        assert web.get(source.removeprefix(prefix), headers=headers).status_code == 200
    assert "default-src 'self'" in shown.headers["content-security-policy"]
    schema = web.get("/openapi.json", headers=headers).json()
    assert schema.get("servers", []) == ([{"url": prefix}] if prefix else [])


def test_the_version_of_the_documentation_follows_the_schema_alone(
    lesson: Lesson, web: httpx2.Client
) -> None:
    first = web.get("/_lesson/version").text
    shown = web.get("/docs").text
    assert f'known = "{first}"' in shown  # a page knows what it shows, whenever it looks first
    save(lesson, miniature.SOLUTION.replace("hello", "good day"))
    wait_until(lambda: text(web) == '{"text":"good day you"}')
    assert web.get("/_lesson/version").text == first
    save(lesson, miniature.SOLUTION.replace("/greeting", "/salute"))
    wait_until(lambda: text(web, "/_lesson/version") not in ("", first))


def test_a_folder_has_one_server(lesson: Lesson, server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert serve(lesson, lesson.work) is server
    monkeypatch.setattr(handle, "_running", {})  # as another process sees it
    other = serve(lesson, lesson.work)
    assert (other.url, other.process) == (server.url, None)
    other.stop()
    assert not server.ended


def test_a_server_ends_with_the_process_that_asked_for_it(lesson: Lesson) -> None:
    program = (
        "import sys, time; from pathlib import Path; from lessonkit.course import Course; from lessonkit.live import serve\n"
        "lesson = Course(Path(sys.argv[1])).lessons()[0]\n"
        "print(serve(lesson, lesson.work).process.pid, flush=True); time.sleep(600)"
    )
    asking = subprocess.Popen(
        [sys.executable, "-c", program, str(lesson.root)], stdout=subprocess.PIPE, text=True
    )
    assert asking.stdout is not None
    with asking.stdout:
        served = psutil.Process(int(asking.stdout.readline()))
    os.kill(asking.pid, signal.SIGKILL)
    asking.wait()
    served.wait(PATIENCE_SECONDS)
    assert not served.is_running()


def test_what_cannot_be_served_is_one_sentence(lesson: Lesson, server: LiveServer) -> None:
    other = lesson.root / "work" / "other"
    with pytest.raises(LessonError, match="is not there"):
        serve(lesson, other)
    other.mkdir()
    (other / "main.py").write_text(miniature.SOLUTION, encoding="utf-8")
    with pytest.raises(LessonError, match=r"Port \d+ cannot be used"):
        serve(lesson, other, port=int(server.url.rpartition(":")[2]))


def test_a_lesson_about_the_sdk_finds_the_stand_in(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from anthropic import AsyncAnthropic\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n"
        '@app.get("/where")\nasync def where() -> str:\n    return str(AsyncAnthropic().base_url)\n'
    )
    (lesson.solution / "main.py").write_text(code, encoding="utf-8")
    save(lesson, code)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    packages_of.cache_clear()
    server = serve(lesson, lesson.work)
    where = httpx2.get(f"{server.url}/where", timeout=PATIENCE_SECONDS).json()
    server.stop()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/?", where)

    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-real-key")
    server = serve(lesson, lesson.work)
    where = httpx2.get(f"{server.url}/where", timeout=PATIENCE_SECONDS).json()
    server.stop()
    assert "127.0.0.1" not in where
