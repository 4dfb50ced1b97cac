"""Puts a failure into its four parts: what was sent, what was expected, what came back, one next step."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lessonkit.explanations import describe, is_slip
from lessonkit.noticed import first_step
from lessonkit.report import Exchange, join, shorten
from lessonkit.session import MissingOperation


def for_missing_operation(error: MissingOperation) -> str:
    return join(
        [
            ("Sent", "nothing yet: there is no operation to send it to"),
            ("Expected", f"the operation {error.operation}"),
            ("Came back", str(error)),
            ("Next step", error.next_step),
        ]
    )


def for_assertion(
    text: str,
    exchanges: Sequence[Exchange],
    notes: Sequence[str] = (),
    crashes: Mapping[str, str] | None = None,
    serve: str | None = None,
) -> str:
    """`text` is what `expected()` made; the rest comes from the last exchange.

    `notes` say how the check prepared the ground, so that nobody wonders why a repeated request differs.
    `crashes` are the causes that the suite knows, as for `lessonkit.noticed.first_step`.
    `serve` is the command that serves the app as the check had it.
    """
    lines = (line.strip() for line in text.splitlines())  # pytest indents them when it rewrites asserts
    own = dict(line.partition(": ")[::2] for line in lines if ": " in line)
    wanted = own.get("Expected") or shorten(text)
    step = own.get("Next step") or "Compare what came back with what was expected."
    came_back = [("Came back", own["Came back"])] if "Came back" in own else []
    if not exchanges:
        return join([("Expected", wanted), *came_back, ("Next step", step)])
    last = exchanges[-1]
    parts = [
        ("Sent", last.sent()),
        *([("Serve it", serve)] if serve else []),
        ("Repeat it", last.curl),
        *(("Set up", note) for note in notes[-1:]),
        ("Expected", wanted),
        *(came_back or [("Came back", last.came_back())]),
    ]
    if last.printed:
        parts.append(("Printed", shorten(last.printed)))
    if last.crash and is_slip(last.crash):
        step = "Mend that line, or what it uses, first."
    elif first := first_step(last, wanted, step, crashes or {}):
        step = f"{first} {step}"
    return join([*parts, ("Next step", step)])


def for_stumble(error: BaseException, folder: Path, exchanges: Sequence[Exchange]) -> str:
    """The check raised something that it did not foresee."""
    last = exchanges[-1] if exchanges else None
    came = f"{last.came_back()} — and then " if last else ""
    parts: list[tuple[str, str]] = [("Sent", last.sent()), ("Repeat it", last.curl)] if last else []
    return join(
        [
            *parts,
            ("Expected", "an answer of the shape that the lesson's contract gives"),
            ("Came back", f"{came}{describe(error, folder)}"),
            ("Next step", "Compare the answer with the contract in the lesson's README."),
        ]
    )


def one_line(message: str) -> str:
    """A message's shortest useful form: what was expected."""
    for line in message.splitlines():
        if line.startswith("Expected: "):
            return line
    return message.splitlines()[0]
