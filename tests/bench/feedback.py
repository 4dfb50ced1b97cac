"""How long a learner waits for a verdict: `uv run python -m tests.bench.feedback`.

Measures, in turn and in one run: a warm check (what `watch` and the second check in a notebook cost),
plain cold pytest on the same suite, and the cold command. Prints medians in milliseconds and the ratios.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lessonkit.course import find_course
from lessonkit.runner import run

WARM_RUNS = 30
COLD_RUNS = 7


def main() -> None:
    """Run the measurement for lesson 1 and print it."""
    course = find_course(Path(__file__))
    lesson = course.lesson("1")
    with tempfile.TemporaryDirectory(prefix="lesson-") as scratch:
        folder = Path(scratch).resolve()
        saved = (lesson.solution / "main.py").read_text(encoding="utf-8")
        (folder / "main.py").write_text(saved, encoding="utf-8")
        target = str(folder)

        def warm() -> None:
            (folder / "main.py").write_text(f"{saved}# saved {time.time_ns()}\n", encoding="utf-8")
            assert run(lesson, target).ok

        def pytest() -> None:
            _call([sys.executable, "-m", "pytest", "-q", str(lesson.suite), "--target", target], course.root)

        def command() -> None:
            _call([sys.executable, "-m", "lessonkit.command", "check", "1", "--target", target], course.root)

        first = milliseconds(warm)
        warm_runs, pytest_runs, command_runs = [], [], []
        for number in range(WARM_RUNS):
            warm_runs.append(milliseconds(warm))
            if number < COLD_RUNS:
                pytest_runs.append(milliseconds(pytest))
                command_runs.append(milliseconds(command))
        shutil.rmtree(folder, ignore_errors=True)
    show("first check of a session", [first])
    show("warm check, save to report", warm_runs)
    show("cold pytest, same suite", pytest_runs)
    show("cold lesson check", command_runs)
    ratio = statistics.median(pytest_runs) / statistics.median(warm_runs)
    overhead = statistics.median(command_runs) / statistics.median(pytest_runs)
    print(f"warm check is {ratio:.1f} times faster than cold pytest")
    print(f"cold lesson check takes {overhead:.2f} times as long as cold pytest")


def _call(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def milliseconds(work: Callable[[], None]) -> float:
    """How long `work()` takes, by the clock."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def show(what: str, runs: list[float]) -> None:
    """Print the median and the 95th percentile of measurements in milliseconds."""
    ordered = sorted(runs)
    late = ordered[int(len(ordered) * 0.95)]
    print(f"{what:<28} median {statistics.median(runs):7.0f} ms   p95 {late:7.0f} ms   ({len(runs)} runs)")


if __name__ == "__main__":
    main()
