"""What the course's own tests share: reports and notebooks, two at a time and once each."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lessonkit.author import truth
from lessonkit.author.notebooks import Kernel, run_notebook
from lessonkit.course import Course, Lesson, find_course
from lessonkit.report import Report
from lessonkit.runner import preload

WORKERS = 2
Result = TypeVar("Result")


@pytest.fixture(scope="session")
def course() -> Course:
    return find_course(Path(__file__))


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c() -> None:
    """Programs that tests start heed Ctrl-C, also where a script began the tests in the background and it is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _side_work(request: pytest.FixtureRequest) -> None:
    """Begin with what runs side by side, so that it goes on while other tests run."""
    for name in ("notebooks", "new_kernels", "reports"):
        if any(name in getattr(item, "fixturenames", ()) for item in request.session.items):
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def reports(request: pytest.FixtureRequest) -> Iterator[Callable[[Lesson, str], Report]]:
    """The report of a lesson's suite on a target."""
    preload(find_course(Path(__file__)).lessons())
    with _side_by_side(request, "reports", truth.report) as get:
        yield get


@pytest.fixture(scope="session")
def notebooks(request: pytest.FixtureRequest) -> Iterator[Callable[[Lesson, str], dict[str, str]]]:
    """What each code cell of a lesson's notebook shows beside a target's main.py.

    The kernels run one notebook after another; `new_kernels` takes a new one for each.
    """
    own = threading.local()
    kernels: list[Kernel] = []

    def work(lesson: Lesson, target: str) -> dict[str, str]:
        if not hasattr(own, "kernel"):
            own.kernel = Kernel()
            kernels.append(own.kernel)
        return run_notebook(lesson, target, own.kernel)

    with _side_by_side(request, "notebooks", work) as get:
        yield get
    for kernel in kernels:
        kernel.close()


@pytest.fixture(scope="session")
def new_kernels(request: pytest.FixtureRequest) -> Iterator[Callable[[Lesson, str], dict[str, str]]]:
    """As `notebooks`, with a kernel of its own for each."""
    with _side_by_side(request, "new_kernels", run_notebook) as get:
        yield get


@contextmanager
def _side_by_side(
    request: pytest.FixtureRequest, fixture: str, work: Callable[[Lesson, str], Result]
) -> Iterator[Callable[[Lesson, str], Result]]:
    """Start `work(lesson, target)` for every selected test that asks for `fixture`, a few at a time.

    The last lessons take the longest, so they go first.
    """
    cases: list[tuple[Any, Any]] = [
        (item.callspec.params["lesson"], item.callspec.params["target"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and fixture in item.fixturenames
    ]
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = {
            (lesson.name, target): pool.submit(work, lesson, target) for lesson, target in reversed(cases)
        }
        yield lambda lesson, target: futures[lesson.name, target].result()
        pool.shutdown(cancel_futures=True)
