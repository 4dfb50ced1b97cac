"""The program of a second process: it loads a main.py and answers requests, a line of JSON each way.

Started as `python -O -m lessonkit.answering PATH` by `lessonkit.optimized`. The first line that it
writes says whether the app runs: `{"problem": null}`, or a sentence. From then on it reads
`{"method", "path", "json"}` and writes `{"headers", "exchange"}`, until its input ends.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from lessonkit import guard
from lessonkit.client import RecordingClient
from lessonkit.explanations import describe
from lessonkit.loader import LoadFailure, load
from lessonkit.targets import Target


def main() -> None:
    """Answer until the input ends; nothing that the learner's code prints reaches the output."""
    questions, answers = _take_streams()
    sys.dont_write_bytecode = True  # the libraries are loaded; what comes now are the learner's files
    guard.hold_exits()
    file = Path(sys.argv[1])
    try:
        app = load(Target("optimized", file)).app
    except LoadFailure as failure:
        return _write(answers, {"problem": failure.problem.message})
    printed = guard.Printed(sys.stdout)
    sys.stdout = printed
    client = RecordingClient(app, lambda error: describe(error, file.parent), printed.take)
    try:
        client.__enter__()
    except Exception as error:
        return _write(answers, {"problem": f"The app does not start: {describe(error, file.parent)}."})
    _write(answers, {"problem": None})
    for line in questions:
        _write(answers, _answer(client, json.loads(line)))
    client.__exit__(None, None, None)


def _answer(client: RecordingClient, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        headers = dict(client.request(asked["method"], asked["path"], json=asked["json"]).headers)
    except Exception:  # the exchange holds what went wrong
        headers = {}
    return {"headers": headers, "exchange": asdict(client.exchanges[-1])}


def _take_streams() -> tuple[TextIO, TextIO]:
    """Standard input and output for this program alone; what follows reads and writes nowhere."""
    questions = os.fdopen(os.dup(0), "r", encoding="ascii")
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return questions, answers


def _write(answers: TextIO, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
