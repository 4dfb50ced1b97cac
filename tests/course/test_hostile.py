"""Whatever a main.py does: one clear sentence, exit status 1, no traceback of the kit, never a pass."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lessonkit.course import Course
from lessonkit.report import Report
from lessonkit.runner import run

SHORT = 0.1  # for files that hang: the limits of a check and of an import become 1 and 2 seconds

GOOD = """
from fastapi import FastAPI
from pydantic import BaseModel
from lessonkit.model import run_model

app = FastAPI()

class Ask(BaseModel):
    text: str
    max_tokens: int = 512
    temperature: float = 0.7

@app.get("/health")
def health():
    return {"status": "ok"}

@app.post("/predict")
def predict(ask: Ask):
    HANDLER
    result = run_model(ask.text, ask.max_tokens, ask.temperature)
    return {"result": result, "model": "my-model-v1", "tokens_used": len(result.split())}
"""


def with_import(code: str) -> str:
    return f"{code}\n{GOOD}".replace("HANDLER", "pass")


def in_handler(code: str) -> str:
    return GOOD.replace("HANDLER", code)


# What stands in main.py, and words that the first message must hold.
HOSTILE = {
    "syntax_error": ("app = FastAPI(", "main.py line 1 is not valid Python"),
    "empty": ("", "main.py is empty"),
    "only_spaces": ("  \n\n", "main.py is empty"),
    "no_app": ("x = 1\n", "has no `app`"),
    "app_called_api": ("from fastapi import FastAPI\napi = FastAPI()\n", "it has `api`"),
    "app_of_another_type": ("app = 'hello'\n", "of type str, not FastAPI"),
    "app_is_a_router": ("from fastapi import APIRouter\napp = APIRouter()\n", "of type APIRouter"),
    "unknown_module": ("import fastapii\n", "imports `fastapii`, and there is no module"),
    "unknown_name": ("from fastapi import FastApi\n", "cannot import name 'FastApi'"),
    "undefined_name": ("app = FastAPI()\n", "uses `FastAPI` before anything has that name"),
    "exception_at_import": ("x = 1 / 0\n", "main.py line 1 raised ZeroDivisionError"),
    "exit_at_import": (with_import("import sys; sys.exit(0)"), "ends the program while it is being imported"),
    "hard_exit_at_import": (with_import("import os; os._exit(0)"), "ends the program while it is being"),
    "skip_at_import": (with_import("import pytest; pytest.skip('x', allow_module_level=True)"), "Skipped"),
    "loop_at_import": (with_import("while True: pass"), "line 1: `while True: pass`"),
    "server_at_import": (
        GOOD.replace("HANDLER", "pass") + "import uvicorn\nuvicorn.run(app, port=0)\n",
        "`uvicorn.run(app, port=0)`",
    ),
    "killed_at_import": (
        with_import("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        "ended the whole process",
    ),
    "exit_in_handler": (in_handler("import sys; sys.exit(0)"), "SystemExit"),
    "hard_exit_in_handler": (in_handler("import os; os._exit(0)"), "ProcessExit"),
    "loop_in_handler": (in_handler("while True: pass"), "`while True: pass`"),
    "sleep_in_async": (
        in_handler("import time; time.sleep(600)").replace("def predict", "async def predict"),
        "`import time; time.sleep(600)`",
    ),
    "waits_for_ever": (
        in_handler("import asyncio; await asyncio.Event().wait()").replace(
            "def predict", "async def predict"
        ),
        "did not end in time",
    ),
    "megabytes_printed": (in_handler("print('x' * 2_000_000)"), "more than 1,000,000 characters"),
    "megabytes_printed_quietly": (
        in_handler("try: print('x' * 2_000_000)\n    except Exception: pass"),
        "printed more than 1,000,000 characters",
    ),
    "two_gigabytes_at_import": (with_import("x = bytearray(2 * 1024**3)"), "took more memory"),
    "two_gigabytes_in_handler": (in_handler("x = bytearray(2 * 1024**3)"), "MemoryError"),
    "patches_the_client": (
        with_import("from starlette.testclient import TestClient\nTestClient.request = lambda *a, **k: None"),
        "replaces `starlette.testclient.TestClient.request`",
    ),
    "patches_pytest": (with_import("import pytest\npytest.fail = print"), "replaces `pytest.fail`"),
    "patches_the_kit": (
        with_import("import lessonkit.model\nlessonkit.model.run_model = lambda *a: 'x'"),
        "replaces `lessonkit.model.run_model`",
    ),
    "startup_fails": (
        GOOD.replace("HANDLER", "pass").replace("FastAPI()", "FastAPI(lifespan=lambda app: 1 / 0)"),
        "The app does not start: ZeroDivisionError",
    ),
    "raises_in_handler": (in_handler("raise ValueError('mine')"), "ValueError: mine (main.py line 19"),
}
BYTES = {
    "nul_bytes": (b"app = 1\0", "holds NUL bytes"),
    "latin_1": ("# caf\u00e9\napp = 1\n".encode("latin-1"), "not saved as UTF-8"),
    "utf_16": ("app = 1\n".encode("utf-16"), "holds NUL bytes"),
}
CASES = {name: (text.encode(), says) for name, (text, says) in HOSTILE.items()} | BYTES


def written(folder: Path, data: bytes) -> Path:
    path = folder / "main.py"
    path.write_bytes(data)
    return path


HANGING = {"loop_at_import", "server_at_import", "loop_in_handler", "sleep_in_async", "waits_for_ever"}


@pytest.fixture(scope="module")
def hostile_reports(
    course: Course, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[Path, Report]]]:
    """The file and the report of each case; two run at a time."""

    def check(name: str) -> tuple[Path, Report]:
        path = written(folders[name], CASES[name][0])
        return path, run(course.lesson("1"), str(path.parent), time_scale=SHORT if name in HANGING else 1.0)

    folders = {name: tmp_path_factory.mktemp(name) for name in CASES}
    with ThreadPoolExecutor(2) as pool:
        futures = {name: pool.submit(check, name) for name in CASES}
        yield lambda name: futures[name].result()


@pytest.mark.parametrize("name", CASES)
def test_hostile_file_gets_one_sentence_and_no_pass(
    name: str, course: Course, hostile_reports: Callable[[str], tuple[Path, Report]]
) -> None:
    data, says = CASES[name]
    path, report = hostile_reports(name)
    assert not report.ok
    assert report.total == len(course.lesson("1").check_names())
    messages = [check.message or "" for check in report.failures]
    assert any(says in message for message in messages), messages[:1]
    assert not any("Traceback" in message or "lessonkit/" in message for message in messages)
    assert path.read_bytes() == data
    assert json.loads(report.to_json())["passed"] < report.total


@pytest.mark.parametrize("name", ["syntax_error", "hard_exit_at_import", "patches_pytest"])
def test_command_ends_with_status_1(name: str, course: Course, tmp_path: Path) -> None:
    data, says = CASES[name]
    written(tmp_path, data)
    command = [sys.executable, "-m", "lessonkit.command", "check", "1", "--target", str(tmp_path)]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert says in re.sub(r"[\s│]+", " ", done.stdout)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "hard_exit_in_handler",
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in ("exit_at_import", "patches_the_client", "latin_1")
        ),
    ],
)
def test_plain_pytest_gives_the_same_verdict(name: str, course: Course, tmp_path: Path) -> None:
    data, says = CASES[name]
    written(tmp_path, data)
    suite = course.lesson("1").suite
    command = [sys.executable, "-m", "pytest", str(suite), "--target", str(tmp_path), "-rA"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert says in done.stdout
    assert "Traceback" not in done.stdout
    report = run(course.lesson("1"), str(tmp_path))
    for check in report.checks:
        verdict = "PASSED" if check.passed else "FAILED"
        assert f"{verdict} tests/{suite.name}::{check.id}" in done.stdout


def test_plain_pytest_shows_the_same_message(course: Course) -> None:
    lesson = course.lesson("1")
    target = "mistake:characters_counted"
    command = [sys.executable, "-m", "pytest", str(lesson.suite), "--target", target]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=60, check=False)
    message = run(lesson, target).failures[0].message
    assert message is not None
    assert message in done.stdout


def test_missing_file_says_where_it_should_be(course: Course, tmp_path: Path) -> None:
    report = run(course.lesson("1"), str(tmp_path))
    assert report.error is not None
    assert report.error.kind == "missing"
    assert "main.py is not there" in report.error.message


def test_file_named_like_a_package_is_told(course: Course, tmp_path: Path) -> None:
    written(tmp_path, with_import("").encode())
    (tmp_path / "fastapi.py").write_text("boom = 1 / 0\n", encoding="utf-8")
    report = run(course.lesson("1"), str(tmp_path))
    assert report.error is not None
    assert "fastapi.py beside main.py has the name of the package `fastapi`" in report.error.message
    assert not report.ok


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_of_other_systems_are_right(newline: str, course: Course, tmp_path: Path) -> None:
    written(tmp_path, with_import("").replace("\n", newline).encode())
    assert run(course.lesson("1"), str(tmp_path)).ok


def test_a_thread_that_never_ends_does_not_hold_the_verdict(course: Course, tmp_path: Path) -> None:
    code = "import threading, time\nthreading.Thread(target=lambda: time.sleep(600)).start()"
    written(tmp_path, with_import(code).encode())
    assert run(course.lesson("1"), str(tmp_path)).ok
