"""The fixtures `optimized` and `deprecations`, on a course of one lesson: what they see, and what they say of a fault."""

import subprocess
import sys
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
def test_apart(client, optimized):
    """The two apps are two, and each sees what lies beside it."""
    for number in (1, 2):
        answer = json_body(client.get("/greeting?name=Ada"))
        assert answer.get("debug") == [True, True], expected("as without -O", next_step=str(answer))
        answer = json_body(optimized.get("/greeting?name=Ada"))
        assert answer.get("debug") == [False, False], expected("as under -O", next_step=str(answer))
        assert answer.get("calls") == number, expected("a module of its own", next_step=str(answer))


@task("GET /greeting", hints=["Look."])
def test_nothing_deprecated(client, deprecations):
    """Nothing deprecated is used."""
    client.get("/greeting?name=Ada")
    told = " | ".join(f"{one.library} {one.file}:{one.line} {one.says}" for one in deprecations())
    assert not told, expected("silence", next_step=told)
'''

SOLUTION = '''"""A greeting."""

import beside
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
names: list[str] = []


class Greeting(BaseModel):
    text: str
    debug: list[bool]
    calls: int


@app.get("/greeting")
def greeting(name: str = "you") -> Greeting:
    if not name:
        raise ValueError("a name")
    names.append(name)
    return Greeting(text=name, debug=[__debug__, beside.debug], calls=len(names))
'''


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    made = miniature.make(tmp_path)
    made.suite.write_text(SUITE, encoding="utf-8")
    (made.solution / "main.py").write_text(SOLUTION, encoding="utf-8")
    (made.solution / "beside.py").write_text("debug = __debug__\n", encoding="utf-8")
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


def test_raise_holds_and_the_two_apps_are_apart(lesson: Lesson) -> None:
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
        lesson, "    if not name:", "    if not __debug__ and name == 'Ada':\n        1 / 0\n    if not name:"
    )
    check = failed(run(lesson, "solution"))["test_apart"]
    assert "ZeroDivisionError" in (check.message or "")
    assert "main.py line" in (check.message or "")


def test_exit_while_loading_is_told(lesson: Lesson) -> None:
    changed(lesson, "app = FastAPI()", "app = FastAPI()\nif not __debug__:\n    import sys; sys.exit(0)")
    assert "ends the program" in message(run(lesson, "solution"), "test_optimized")


@pytest.mark.parametrize(
    ("rule", "status"), [('if not name:\n        raise ValueError("a name")', 500), ("assert name", 200)]
)
def test_python_itself_agrees(lesson: Lesson, rule: str, status: int) -> None:
    changed(lesson, 'if not name:\n        raise ValueError("a name")', rule)
    code = (
        "from fastapi.testclient import TestClient\nfrom main import app\n"
        "print(TestClient(app, raise_server_exceptions=False).get('/greeting?name=').status_code)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-O", "-c", code],
        cwd=lesson.solution,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{status}\n"
    assert ("test_optimized" not in failed(run(lesson, "solution"))) == (status == 500)


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
            "    return Greeting(text=name, debug=[__debug__, beside.debug], calls=len(names))",
            "    return Greeting(text=name, debug=[__debug__, beside.debug], calls=len(names)).dict()",
            "The `dict` method is deprecated; use `model_dump` instead",
            id="in-a-request",
        ),
        pytest.param(
            "app = FastAPI()",
            "app = FastAPI()\napp.on_event('startup')(lambda: None)",
            "builtins main.py:8 on_event is deprecated",
            id="of-another-library",
        ),
    ],
)
def test_deprecated_use_is_heard(lesson: Lesson, old: str, new: str, says: str) -> None:
    changed(lesson, old, new)  # checked by its path: for the target `solution` a deprecation is an error
    report = run(lesson, str(lesson.solution))
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
