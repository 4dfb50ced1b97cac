"""The fixtures `contract` and `planted`, parts and their order, on a course of one lesson."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.course import miniature

from lessonkit.contract import Contract
from lessonkit.course import Lesson
from lessonkit.notebook.report_html import as_html
from lessonkit.planted import Planted, TestRun
from lessonkit.report import Report
from lessonkit.runner import run
from lessonkit.terminal import as_text

pytestmark = pytest.mark.exhaustive  # each test starts programs of its own, and waits for hostile ones

SUITE = '''"""A greeting."""

import pytest

from lessonkit import expected, json_body, task


@task("GET /greeting", hints=["Look."], part="Behaviour")
def test_greeting_is_answered(client):
    """GET /greeting answers hello you."""
    reply = client.get("/greeting")
    assert json_body(reply) == {"text": "hello you"}, expected("hello you", next_step="Return a dict.")


@pytest.mark.process
@task("GET /greeting", hints=["Look."], part="Contract", after="Behaviour")
def test_contract(contract, client):
    """The contract holds."""
    breach = contract.first_breach(client, "GET /greeting")
    assert breach is None, expected("what the contract allows", came_back=breach, next_step="Look.")


@pytest.mark.process
@task("GET /greeting", hints=["Look."], part="Your tests", after="Behaviour")
def test_own_tests(planted):
    """The learner's tests catch the fault."""
    told = [planted.own().in_words()] + [one.in_words() for one in planted.right().values()]
    told += [f"{fault.words} caught={fault.caught}" for fault in planted.faults()]
    assert told == ["1 tests passed"] * 3 + ["nobody is greeted caught=True"], expected(
        "all", came_back=" | ".join(told), next_step="Look."
    )
'''

MISTAKES = """
[[mistake]]
name = "name_ignored"
why = "The parameter is declared and forgotten."
planted = "nobody is greeted"
old = "hello {name}"
new = "hello you"
caught_by = ["*"]

[[mistake]]
name = "not_planted"
why = "Only the suite looks for it."
old = "hello"
new = "bye"
caught_by = ["*"]

[[answer]]
name = "in_another_style"
why = "A lambda is a function."
planted = "another style"
caught_by = []
code = '''
from fastapi import FastAPI
app = FastAPI()
app.get("/greeting")(lambda name="you": {"text": "hello " + name})
'''
"""

TESTS = """
from fastapi.testclient import TestClient

from main import app


def test_name():
    assert TestClient(app).get("/greeting?name=Ada").json() == {"text": "hello Ada"}
"""

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Greeting", "version": "1"},
    "paths": {
        "/greeting": {
            "get": {
                "parameters": [{"name": "name", "in": "query", "schema": {"type": "string"}}],
                "responses": {
                    "200": {
                        "description": "A greeting",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["text"],
                                    "properties": {"text": {"type": "string", "pattern": "^hello"}},
                                }
                            }
                        },
                    }
                },
            }
        }
    },
}


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    made = miniature.make(tmp_path)
    made.suite.write_text(SUITE, encoding="utf-8")
    made.mistakes.write_text(MISTAKES, encoding="utf-8")
    (made.solution / "test_main.py").write_text(TESTS, encoding="utf-8")
    (made.starter / "openapi.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")
    return made


def with_tests(lesson: Lesson, text: str, time_scale: float = 4.0) -> dict[str, TestRun]:
    """What the learner's tests of this text make of their own app, the solution and the faulty service."""
    (lesson.solution / "test_main.py").write_text(text, encoding="utf-8")
    planted = Planted(lesson, lesson.solution, time_scale)
    faults = {fault.name: fault.run for fault in planted.faults()}
    return {"own": planted.own(), **planted.right(), **faults}


def message(report: Report, name: str) -> str:
    assert report.error is None, report.error
    return next(check.message or "" for check in report.checks if check.name == name)


def test_parts_pass_and_are_shown(lesson: Lesson) -> None:
    report = run(lesson, "solution")
    assert report.ok, [check.message for check in report.failures]
    assert [check["part"] for check in json.loads(report.to_json())["checks"]] == [
        "Behaviour",
        "Contract",
        "Your tests",
    ]
    for shown in (as_text(report, lesson), as_html(report, lesson)):
        assert shown.index("Behaviour") < shown.index("Contract") < shown.index("Your tests")


def test_later_parts_wait_for_the_first(lesson: Lesson) -> None:
    report = run(lesson, "mistake:not_planted")
    assert {check.reason for check in report.failures} == {"assertion"}
    for name in ("test_contract", "test_own_tests"):
        assert "Expected: the part Behaviour to be green" in message(report, name)
        assert "1 of its 1 checks fail" in message(report, name)


def test_breach_of_the_contract_is_told_with_its_request(lesson: Lesson) -> None:
    miniature.edit(
        lesson.solution / "main.py",
        '    return {"text": f"hello {name}"}',
        '    if len(name) > 3 or name == "":\n        raise KeyError(name)\n    return {"text": f"hello {name}"}',
    )
    text = message(run(lesson, "solution"), "test_contract")
    assert "500" in text
    assert "Repeat it: curl 'http://127.0.0.1:8000/greeting?name='" in text
    assert "Server error" in text


def test_contract_is_the_same_in_every_run(lesson: Lesson) -> None:
    miniature.edit(lesson.solution / "main.py", "hello {name}", "hello {name}{1 // (len(name) - 5)}")
    first, second = (message(run(lesson, "solution"), "test_contract") for _ in range(2))
    assert first == second


def test_contract_leaves_open_how_a_number_is_written() -> None:
    from lessonkit.contract import _numbers, _oddly_written

    body = {"type": "object", "properties": {"size": {"type": "integer"}, "name": {"type": "string"}}}
    document = {
        "paths": {"/a": {"post": {"requestBody": {"content": {"application/json": {"schema": body}}}}}},
    }
    numbers = _numbers(document, "/a", "POST")
    assert numbers == {"size"}
    odd = [{"size": True}, {"size": "5"}, {"size": 5.0}]
    plain = [{"size": 5}, {"size": 5.5}, {"size": None}, {"name": "5"}, [], None, {}]
    assert [_oddly_written(one, numbers) for one in odd + plain] == [True] * 3 + [False] * 7
    assert Contract(document, lambda client: None).document == document


def test_tests_that_demand_too_much_are_named(lesson: Lesson) -> None:
    runs = with_tests(
        lesson, TESTS + "\n\ndef test_source():\n    from main import greeting\n    assert greeting\n"
    )
    assert runs["own"].ok
    assert runs["solution"].ok
    assert runs["in_another_style"].test == "test_source"
    assert "cannot import name 'greeting'" in runs["in_another_style"].in_words()


def test_tests_that_look_at_nothing_catch_nothing(lesson: Lesson) -> None:
    runs = with_tests(lesson, "def test_nothing():\n    pass\n")
    assert {run.outcome for run in runs.values()} == {"passed"}


@pytest.mark.parametrize(
    ("text", "outcome", "says"),
    [
        pytest.param("def test_a(:\n", "broken", "SyntaxError", id="syntax"),
        pytest.param("from main import nothing\n", "broken", "cannot import name 'nothing'", id="import"),
        pytest.param("", "none", "no test", id="empty"),
        pytest.param(
            "import pytest\n\n\ndef test_a():\n    pytest.skip('x')\n",
            "none",
            "all 1 tests are skipped",
            id="skipped",
        ),
        pytest.param(
            "import pytest\n\n\n@pytest.mark.xfail\ndef test_a():\n    pass\n",
            "none",
            "do not count",
            id="xfail",
        ),
        pytest.param("import os\n\n\ndef test_a():\n    os._exit(0)\n", "died", "test_a ended", id="exit"),
        pytest.param("import os\n\nos._exit(0)\n", "died", "test_main.py ended", id="exit-at-import"),
        pytest.param(
            "def test_a():\n    while True:\n        pass\n", "hung", "test_a did not end", id="loop"
        ),
        pytest.param(
            "import os, time\n\n\ndef test_a():\n    if os.fork() == 0:\n        time.sleep(60)\n",
            "passed",
            "1 tests",
            id="left-behind",
        ),
        pytest.param(
            "import os\n\n\ndef test_a():\n    os.write(1, b'x' * 2_000_000)\n    print('{\"outcome\": 1}')\n",
            "passed",
            "1 tests",
            id="flood",
        ),
        pytest.param("def test_a():\n    bytearray(4 * 1024**3)\n", "failed", "MemoryError", id="memory"),
    ],
)
def test_hostile_tests_get_a_verdict(lesson: Lesson, text: str, outcome: str, says: str) -> None:
    if says == "MemoryError" and not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells a process's size")
    runs = with_tests(lesson, text, 0.2 if outcome == "hung" else 4.0)
    assert {run.outcome for run in runs.values()} == {outcome}
    assert says in runs["own"].in_words()


def test_a_run_learns_nothing_of_the_service_or_the_order(lesson: Lesson) -> None:
    """Tests that count their runs give themselves away on the right services, which come once more."""
    mark = lesson.root / "runs"
    text = f"""
import os
import main

def test_few():
    with open({str(mark)!r}, "a") as file:
        file.write(os.path.dirname(main.__file__) + "\\n")
    assert len(open({str(mark)!r}).readlines()) < 3
"""
    (lesson.solution / "test_main.py").write_text(text, encoding="utf-8")
    planted = Planted(lesson, lesson.solution, 4.0)
    assert all(one.ok for one in planted.right().values())
    assert [fault.words for fault in planted.faults()] == ["nobody is greeted"]
    assert not all(one.ok for one in planted.right().values())
    told = mark.read_text(encoding="utf-8")
    assert len(set(told.splitlines())) == 5
    assert not any(name in told for name in ("solution", "in_another_style", "name_ignored"))


def test_no_run_stays_behind(lesson: Lesson) -> None:
    """A run that is killed in the middle takes the tests that are under way with it."""
    mark = lesson.root / "alive"
    text = f"import os, time\n\n\ndef test_a():\n    open({str(mark)!r}, 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
    (lesson.solution / "test_main.py").write_text(text, encoding="utf-8")
    order = json.dumps({"folders": {"own": str(lesson.solution)}, "seconds": 60}) + "\n"
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "lessonkit.planted_runs"], stdin=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(order)
        process.stdin.flush()
        while not (mark.exists() and mark.read_text(encoding="utf-8")):
            time.sleep(0.05)
        process.stdin.close()
        process.wait(20)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text(encoding="utf-8")), 0)


def test_same_verdict_without_fork(lesson: Lesson) -> None:
    (lesson.solution / "test_main.py").write_text(TESTS, encoding="utf-8")
    code = "import os; del os.fork\nfrom lessonkit.planted_runs import main; main()"
    order = json.dumps({"folders": {"own": str(lesson.solution)}, "seconds": 60}) + "\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], input=order, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {"name": "own", "outcome": "passed", "passed": 1, "skipped": 0}
