"""One run of a learner's test file in this process: how far it came, and what the first failure says."""

import os
import re
import sys
from typing import Any

from lessonkit.child import only_in

SAYS_CHARACTERS = 300
NAMES_AN_EXCEPTION = re.compile(r"[\w.]*(Error|Exception|Exit|Interrupt|Failed)\b")


def run_here(folder: str, at: Any) -> dict[str, Any]:
    """Run the test file of `folder` in this process, until the first test that fails."""
    import pytest

    class Listen:
        passed = skipped = 0
        failed: tuple[str, str] | None = None
        broken: str | None = None

        def pytest_runtest_logstart(self, nodeid: str) -> None:
            at(nodeid.rpartition("::")[2])

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
                self.passed += 1
            elif report.skipped or hasattr(report, "wasxfail"):
                self.skipped += 1
            elif report.failed and self.failed is None:
                self.failed = report.nodeid.rpartition("::")[2], _says(report)

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed and self.broken is None:
                self.broken = _says(report)
            elif report.skipped:  # the whole file, with however many tests
                self.skipped += 1

    sys.dont_write_bytecode = True
    os.chdir(folder)
    sys.path.insert(0, folder)
    listen = Listen()
    arguments = [os.path.join(folder, "test_main.py"), *only_in(folder), "-x", "-q"]
    arguments += ["--import-mode=prepend", "-pno:cacheprovider", "-panyio.pytest_plugin"]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    pytest.main(arguments, plugins=[listen])
    if listen.broken is not None:
        return {"outcome": "broken", "says": listen.broken.replace(folder + os.sep, "")}
    if listen.failed is not None:
        test, says = listen.failed
        return {"outcome": "failed", "passed": listen.passed, "test": test, "says": says}
    outcome = "passed" if listen.passed else "none"
    return {"outcome": outcome, "passed": listen.passed, "skipped": listen.skipped}


def _says(report: Any) -> str:
    """The first line of what went wrong."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        lines = str(crash.message).splitlines()
    else:  # a file that does not load: one of the marked lines names the exception
        marked = [line[2:].strip() for line in str(report.longrepr).splitlines() if line.startswith("E ")]
        named = [line for line in marked if NAMES_AN_EXCEPTION.match(line)]
        lines = named[-1:] or marked or str(report.longrepr).splitlines()[-1:]
    return lines[0].strip()[:SAYS_CHARACTERS] if lines else ""
