"""What a run of a suite found. Only data: the terminal, the notebook and graders render it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SHOWN_CHARACTERS = 300
LABELS = (
    "Problem",
    "Sent",
    "Serve it",
    "Repeat it",
    "Set up",
    "Expected",
    "Came back",
    "Printed",
    "Next step",
)


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as a check saw it.

    `body` and `answer` are text; `curl` repeats the request against a server on its usual port;
    `crash` says which exception the learner's code raised, and where; `printed` is what it printed;
    `headers` are those that the check chose, such as a key.
    """

    method: str
    path: str
    body: str
    curl: str
    status: int | None
    answer: str
    crash: str | None = None
    printed: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def sent(self) -> str:
        chosen = ", ".join(f"{name}: {shorten(value)}" for name, value in self.headers.items())
        request = f"{self.method} {self.path} {shorten(self.body)}".rstrip()
        return f"{request} with {chosen}" if chosen else request

    def came_back(self) -> str:
        if self.status is None:
            return "no answer" + (f", because of {self.crash}" if self.crash else "")
        if self.crash:
            told = "" if self.answer == "Internal Server Error" else f" {shorten(self.answer)}"
            return f"{self.status}{told}, because of {self.crash}"
        return f"{self.status} {shorten(self.answer)}".rstrip()


_SOUND = {
    "patched": "code that leaves the tools of the checks alone",
    "printed": "code that prints little or nothing while it serves",
    "time": "an answer in the end",
    "died": "a process that lives until the checks are done",
}


@dataclass(frozen=True)
class Problem:
    """Why a run could not go on: `kind` (one word), a sentence, a next step, and where to look."""

    kind: str
    message: str
    next_step: str
    file: str | None = None
    line: int | None = None

    def text(self) -> str:
        """The sentence and the next step, a line each."""
        return join([("Problem", self.message), ("Next step", self.next_step)])

    def check_message(self) -> str:
        """What a check says that could not be run because of this problem."""
        return join(
            [
                ("Sent", "nothing that counts: this stands in the way of every check"),
                ("Expected", _SOUND.get(self.kind, "a main.py that loads, and an app that starts")),
                ("Came back", self.message),
                ("Next step", self.next_step),
            ]
        )


@dataclass(frozen=True)
class CheckResult:
    """One check's verdict: `outcome` is `passed` or `failed`.

    `message` is None when it passed, else lines that begin with `Sent:`, `Repeat it:`, `Expected:`,
    `Came back:` and `Next step:`. `reason` says what made it fail: `assertion` (the check's own words),
    `route` (the operation is not there), `problem` (the file does not load, or the run ended early) or
    `error` (the check stumbled, which is the course's fault). `part` is the heading it stands under, if any.
    """

    id: str
    title: str
    operation: str
    outcome: str
    message: str | None = None
    exchanges: tuple[Exchange, ...] = ()
    reason: str | None = None
    part: str | None = None

    @property
    def name(self) -> str:
        """The test function's name, without a parameter's id."""
        return self.id.partition("[")[0]

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


@dataclass(frozen=True)
class Report:
    """One run of one lesson's suite on one target. `seconds` is the time of the run itself."""

    lesson: str
    target: str
    seconds: float
    error: Problem | None = None
    checks: tuple[CheckResult, ...] = ()

    @property
    def passed(self) -> int:
        return sum(check.passed for check in self.checks)

    @property
    def total(self) -> int:
        return len(self.checks)

    @property
    def ok(self) -> bool:
        """Whether nothing stood in the way and every check passed; a run without checks is not ok."""
        return self.error is None and self.total > 0 and self.passed == self.total

    @property
    def failures(self) -> list[CheckResult]:
        return [check for check in self.checks if not check.passed]

    def to_json(self) -> str:
        """The report as one JSON object, the shape that the README documents."""
        error = None
        if self.error is not None:
            error = {
                "kind": self.error.kind,
                "message": self.error.text(),
                "file": self.error.file,
                "line": self.error.line,
            }
        checks = [asdict(check) for check in self.checks]
        for check in checks:
            del check["reason"]
            if check["part"] is None:
                del check["part"]
        data: dict[str, Any] = {
            "lesson": self.lesson,
            "target": self.target,
            "passed": self.passed,
            "total": self.total,
            "seconds": round(self.seconds, 3),
            "error": error,
            "checks": checks,
        }
        return json.dumps(data, indent=2)


def shorten(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """`text` on one line, cut after `limit` characters with the full length told."""
    line = " ".join(text.splitlines())
    if len(line) <= limit:
        return line
    return f"{line[:limit]}… ({len(text):,} characters in all)"


def join(labelled: list[tuple[str, str]]) -> str:
    """A message from pairs of label and text, a line each; the opposite of `parts`."""
    return "\n".join(f"{label}: {text}" if label else text for label, text in labelled)


def parts(message: str) -> list[tuple[str, str]]:
    """A message's labelled lines as pairs: `("Expected", "422 …")`; a line without a label has ""."""
    found = []
    for line in message.splitlines():
        label, colon, rest = line.partition(": ")
        known = label in LABELS
        found.append((label, rest) if colon and known else ("", line))
    return found


def stuck(what: str, path: Path | None = None, line: int | None = None, code: str = "") -> Problem:
    """The problem of a step that did not end in time, and the learner's line it was at, where known."""
    if path is None:
        return Problem("time", f"{what} did not end in time.", "Look for a wait or a loop that nothing ends.")
    step = "Look for a loop or a wait on that line that nothing ends."
    if "run(" in code and what.startswith("Importing"):
        step = 'The checks import main.py; start servers only under: if __name__ == "__main__":'
    sentence = f"{what} did not end in time; {path.name} was still at line {line}: `{code}`."
    return Problem("time", sentence, step, str(path), line)
