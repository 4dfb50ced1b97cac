"""The fixtures `optimized` and `deprecations`, on a course of one lesson: what they see, and what they say of a fault."""

import warnings
from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.course import miniature

from lessonkit.course import Lesson
from lessonkit.deprecations import heard
from lessonkit.report import CheckResult, Report
from lessonkit.runner import run

SUITE = '''"""A greeting."""

from lessonkit import expected, json_body, task


@task("GET /greeting", hints=["Raise, and do not assert."])
def test_optimized(client, optimized):
    """An empty name is refused under -O."""
    assert client.get("/greeting?name=").status_code == 500, expected("a refusal", next_step="Refuse it.")
    status = optimized.get("/greeting?name=").status_code
    assert status == 500, expected("a refusal under -O", next_step="Raise.")


@task("GET /greeting", hints=["Only here."])
def test_same_process(client, optimized):
    """The second check asks the same process."""
    pids = {json_body(optimized.get("/greeting?name=pid"))["pid"] for _ in range(2)}
    assert len(pids) == 1 and client.exchanges, expected("one process", next_step=f"{pids}")
    here = json_body(client.get("/greeting?name=pid"))["pid"]
    assert here not in pids, expected("another process than this one", next_step="Start it.")


@task("GET /greeting", hints=["Look."])
def test_nothing_deprecated(client, deprecations):
    """Nothing deprecated is used."""
    client.get("/greeting?name=Ada")
    told = " | ".join(f"{one.library} {one.file}:{one.line} {one.says}" for one in deprecations())
    assert not told, expected("silence", next_step=told)
'''

SOLUTION = '''"""A greeting."""

import os

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Greeting(BaseModel):
    text: str
    pid: int


@app.get("/greeting")
def greeting(name: str = "you") -> Greeting:
    if not name:
        raise ValueError("a name")
    return Greeting(text=name, pid=os.getpid())
'''


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    made = miniature.make(tmp_path)
    made.suite.write_text(SUITE, encoding="utf-8")
    (made.solution / "main.py").write_text(SOLUTION, encoding="utf-8")
    return made


def changed(lesson: Lesson, old: str, new: str) -> Lesson:
    miniature.edit(lesson.solution / "main.py", old, new)
    return lesson


def failed(report: Report) -> dict[str, CheckResult]:
    assert report.error is None, report.error
    return {check.name: check for check in report.failures}


def message(report: Report, name: str) -> str:
    """What a check that failed says; it must be words of its own, not a stumble."""
    check = failed(report)[name]
    assert check.reason == "assertion", check.message
    return check.message or ""


def test_raise_holds_and_the_process_is_another_and_one(lesson: Lesson) -> None:
    report = run(lesson, "solution")
    assert not failed(report), [check.message for check in report.failures]
    assert not list(lesson.root.rglob("*.pyc")), "byte-code files are keyed on whole seconds"


def test_works_without_the_fork_server(lesson: Lesson) -> None:
    report = run(lesson, "solution", warm=False)
    assert not failed(report), [check.message for check in report.failures]


def test_assert_is_gone(lesson: Lesson) -> None:
    changed(lesson, 'if not name:\n        raise ValueError("a name")', "assert name")
    report = run(lesson, "solution")
    assert set(failed(report)) == {"test_optimized"}
    text = message(report, "test_optimized")
    assert "Expected: a refusal under -O" in text
    assert "Came back: 200" in text
    assert "under: python -O" in text


def test_crash_while_loading_is_told(lesson: Lesson) -> None:
    changed(lesson, "app = FastAPI()", "app = FastAPI()\nassert (origin := 1)\nprint(origin)")
    text = message(run(lesson, "solution"), "test_optimized")
    assert "main.py to load under `python -O`" in text
    assert "uses `origin` before anything has that name" in text
    assert "Came back: no answer" in text


def test_crash_at_start_up_is_told(lesson: Lesson) -> None:
    changed(
        lesson,
        "app = FastAPI()",
        "async def lifespan(app):\n    if not __debug__:\n        raise KeyError('model')\n    yield\n\n\n"
        "app = FastAPI(lifespan=__import__('contextlib').asynccontextmanager(lifespan))",
    )
    text = message(run(lesson, "solution"), "test_optimized")
    assert "The app does not start: KeyError: 'model'" in text


def test_crash_of_a_request_is_told_with_its_line(lesson: Lesson) -> None:
    changed(
        lesson, "    if not name:", "    if not __debug__ and name == 'pid':\n        1 / 0\n    if not name:"
    )
    check = failed(run(lesson, "solution"))["test_same_process"]
    assert "ZeroDivisionError" in (check.message or "")
    assert "main.py line" in (check.message or "")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        pytest.param("import sys; sys.exit(0)", "main.py to load under `python -O`", id="sys-exit"),
        pytest.param("import os; os.kill(os.getpid(), 9)", "the process ended instead", id="killed"),
        pytest.param("print('x' * 100_000)", "", id="prints"),
    ],
)
def test_end_of_the_process_is_told(lesson: Lesson, code: str, says: str) -> None:
    changed(lesson, "app = FastAPI()", f"app = FastAPI()\nif not __debug__:\n    {code}")
    report = run(lesson, "solution")
    if says:
        assert says in message(report, "test_optimized")
    else:
        assert not failed(report)


def test_endless_loop_is_told(lesson: Lesson) -> None:
    changed(lesson, "    if not name:", "    while not __debug__:\n        pass\n    if not name:")
    text = message(run(lesson, "solution", time_scale=0.4), "test_optimized")
    assert "in time; none came" in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(
            "    text: str\n",
            "    text: str\n\n    class Config:\n        frozen = True\n",
            "pydantic main.py:11 Support for class-based `config` is deprecated",
            id="at-import",
        ),
        pytest.param(
            "    return Greeting(text=name, pid=os.getpid())",
            "    return Greeting(text=name, pid=os.getpid()).dict()",
            "The `dict` method is deprecated; use `model_dump` instead",
            id="in-a-request",
        ),
        pytest.param(
            "app = FastAPI()",
            "app = FastAPI()\napp.on_event('startup')(lambda: None)",
            "builtins main.py:9 on_event is deprecated",
            id="of-another-library",
        ),
    ],
)
def test_deprecated_use_is_heard(lesson: Lesson, old: str, new: str, says: str) -> None:
    report = run(changed(lesson, old, new), "solution")
    assert set(failed(report)) == {"test_nothing_deprecated"}
    assert says in message(report, "test_nothing_deprecated")


class Plain(BaseModel):
    pass


def test_other_peoples_warnings_are_left_out_and_passed_on(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as beyond:
        warnings.simplefilter("always")
        with heard(tmp_path) as found:
            warnings.warn("an old thing", DeprecationWarning, stacklevel=1)
            Plain().dict()
            warnings.warn_explicit("my old thing", DeprecationWarning, str(tmp_path / "main.py"), 7)
            warnings.warn_explicit("my odd thing", UserWarning, str(tmp_path / "main.py"), 8)
    assert [(one.library, one.says, one.file, one.line) for one in found()] == [
        ("builtins", "my old thing", "main.py", 7)
    ]
    assert len(beyond) == 4
