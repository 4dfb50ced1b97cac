"""The pytest plugin under every suite: `--target`, the fixtures, route first, and messages that teach.

It acts on tests marked with `@task` and leaves all others alone. A suite may set environment variables
before the learner's code is imported, in a module-level dict called `ENVIRONMENT`; a value may be a
function that gives the text. It may name those that somebody has to set who repeats a request by hand
(`SERVE_WITH`), and what exceptions mean in this lesson (`CRASHES`: a regular expression, and what to do first).
"""

import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

from lessonkit import guard, messages
from lessonkit.course import find_course
from lessonkit.explanations import running_line
from lessonkit.report import CheckResult, Exchange, Problem, stuck
from lessonkit.session import MissingOperation, Session
from lessonkit.suite import Task, expected, of_suite, serve_command, task_of, title_of
from lessonkit.wanted_fixtures import WantedFixtures

LOAD_SECONDS = 20.0
CHECK_SECONDS = 10.0
PROCESS_SECONDS = 150.0  # for a check that starts processes, each of which imports everything anew

Listener = Callable[[str, Any], None]
EXCHANGES = pytest.StashKey[list[Exchange]]()
NOTES = pytest.StashKey[list[str]]()  # how a check prepared the ground, a sentence each
CHECKS = pytest.StashKey["Checks"]()


class Stopped(Exception):
    """A check cannot run; `problem` stands in its way."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text())
        self.problem = problem


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lessons")
    group.addoption(
        "--target",
        default="work",
        help="what the checks look at: work (default), starter, solution, or a folder with a main.py",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "task(declared): a lesson's check, with its operation and hints")
    config.addinivalue_line(
        "markers", "process: a check that starts `python main.py` as a process of its own"
    )
    checks = Checks(config.getoption("--target"))
    config.stash[CHECKS] = checks
    config.pluginmanager.register(checks, "lessonkit-checks")
    config.pluginmanager.register(WantedFixtures(), "lessonkit-wanted-fixtures")
    config.pluginmanager.import_plugin("lessonkit.fixtures")


class Checks:
    """What happens around each check of one pytest run.

    `listen` is told as it happens: ("collected", results without a verdict), ("loaded", None),
    ("started", id), ("checked", CheckResult), ("problem", Problem). `time_scale` stretches the limits.
    """

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.listen: Listener | None = None
        self.time_scale = 1.0
        self.results: list[CheckResult] = []
        self._sessions: dict[str, Session] = {}
        self._watchdog: guard.Watchdog | None = None
        self._told_in_full = False
        self._verdict: CheckResult | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        pending = [_result(item, "failed") for item in items if _task(item)]
        self._tell("collected", pending)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        declared = _task(item)
        if declared is None:
            return (yield)
        self._verdict = None
        self._tell("started", item.name)
        session = self.session(item)
        if session.problem is not None:
            raise Stopped(session.problem)
        self._require_part(item, declared)
        session.require(declared)
        by_process = item.get_closest_marker("process") is not None
        self._tell("patience", PROCESS_SECONDS * self.time_scale if by_process else None)
        self._time(_what(item), PROCESS_SECONDS if by_process else CHECK_SECONDS)
        with session.printing():
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        if _task(item) is None:
            return (yield)
        with self.session(item).printing():
            return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        if _task(item) is None:
            return (yield)
        with self.session(item).printing():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if _task(item) is None:
            return report
        if call.when == "call" and report.passed:
            problem = self.session(item).tampering(whole=item is item.session.items[-1])
            if problem is None:
                self._verdict = _result(item, "passed")
            else:
                self._fail(item, report, problem.check_message(), "problem")
        elif not report.passed:
            error = call.excinfo.value if call.excinfo else RuntimeError("the check was skipped")
            self._fail(item, report, *self._message(item, error))
        return report

    def pytest_runtest_logfinish(self) -> None:
        if self._watchdog is not None:
            self._watchdog.disarm()
        if self._verdict is not None:
            self.results.append(self._verdict)
            self._tell("checked", self._verdict)
            self._verdict = None

    def pytest_sessionfinish(self) -> None:
        for session in self._sessions.values():
            session.close()
        if self._watchdog is not None:
            self._watchdog.close()

    def session(self, item: pytest.Item) -> Session:
        """The loaded target of the lesson that a check belongs to; loaded when its first check comes."""
        name = item.path.stem.removeprefix("test_")
        if name not in self._sessions:
            for earlier in self._sessions.values():
                earlier.close()
            lesson = find_course(item.path.parent).lesson(name)
            session = self._sessions[name] = Session(lesson, self.wanted, of_suite(item, "ENVIRONMENT", {}))
            declared = (_task(one) for one in item.session.items if one.path == item.path)
            session.contract = frozenset(one.operation for one in declared if one is not None)
            self._time("Importing main.py", LOAD_SECONDS)
            session.open()
            if session.problem is not None:
                self._tell("problem", session.problem)
        return self._sessions[name]

    def _require_part(self, item: pytest.Item, declared: Task) -> None:
        """Raise AssertionError unless all checks of the part that has to come first have passed in this run."""
        if declared.after is None:
            return
        first = {one.name: task_of(getattr(one, "function", None)) for one in item.session.items}
        part = {name for name, task in first.items() if task is not None and task.part == declared.after}
        failed = [one for one in self.results if one.id in part and not one.passed]
        assert not failed, expected(
            f"the part {declared.after} to be green; this check is looked at then",
            came_back=f"{len(failed)} of its {len(part)} checks fail",
            next_step=f"Begin with the first of them: {failed[0].title}.",
        )

    def _message(self, item: pytest.Item, error: BaseException) -> tuple[str, str]:
        """The message for a check that raised, and the reason it falls under."""
        exchanges = item.stash.get(EXCHANGES, [])
        if isinstance(error, Stopped):
            return error.problem.check_message(), "problem"
        if isinstance(error, MissingOperation):
            return messages.for_missing_operation(error), "route"
        if isinstance(error, AssertionError) and "Next step: " in str(error):
            notes, crashes = item.stash.get(NOTES, []), of_suite(item, "CRASHES", {})
            serve = serve_command(item, self.session(item).lesson)
            return messages.for_assertion(str(error), exchanges, notes, crashes, serve), "assertion"
        return messages.for_stumble(error, self.session(item).folder, exchanges), "error"

    def _fail(self, item: pytest.Item, report: pytest.TestReport, message: str, reason: str) -> None:
        self._verdict = _result(item, "failed", message, reason)
        report.outcome = "failed"
        report.when = "call"  # a check that could not be set up has failed, and is not an error of the suite
        report.longrepr = messages.one_line(message) if self._told_in_full else message
        self._told_in_full = True

    def _time(self, what: str, seconds: float) -> None:
        if self._watchdog is None:
            self._watchdog = guard.Watchdog(self._expired)
        self._watchdog.arm(what, seconds * self.time_scale)

    def _expired(self, what: str) -> None:
        """In the watchdog's thread: nothing can be unwound, so say where it hangs and end the process."""
        place = None
        for session in self._sessions.values():
            place = place or running_line(session.folder)
        problem = stuck(what, *(place or ()))
        if self.listen is None:
            print(f"\n{problem.text()}", file=sys.__stderr__, flush=True)
        self._tell("problem", problem)
        guard.real_exit(1)

    def _tell(self, event: str, value: object) -> None:
        if self.listen is not None:
            self.listen(event, value)


def _task(item: pytest.Item) -> Task | None:
    return task_of(getattr(item, "function", None))


def _what(item: pytest.Item) -> str:
    return f'"{title_of(getattr(item, "function", None))}"'


def _result(
    item: pytest.Item, outcome: str, message: str | None = None, reason: str | None = None
) -> CheckResult:
    declared = _task(item)
    title = title_of(getattr(item, "function", None))
    _, bracket, case = item.name.partition("[")
    exchanges = item.stash.get(EXCHANGES, [])
    return CheckResult(
        id=item.name,
        title=f"{title} ({case[:-1]})" if bracket else title,
        operation=declared.operation if declared else "",
        outcome=outcome,
        message=message,
        exchanges=tuple(exchanges),
        reason=reason,
        part=declared.part if declared else None,
    )
