"""What a lesson's notebook calls: `check()`, `hint()` and `predict()`."""

from html import escape
from pathlib import Path
from typing import Any

from lessonkit.course import Lesson, LessonError, find_course
from lessonkit.hints import next_hint
from lessonkit.progress import Progress
from lessonkit.report import CheckResult, Report, parts, shorten
from lessonkit.runner import run

_GOOD = "color:var(--jp-success-color0,#1b5e20)"
_BAD = "color:var(--jp-error-color0,#b71c1c)"
_BOX = "border-left:4px solid currentColor;padding:0.4em 0.8em;margin:0.4em 0;max-width:60em"
_CODE = "white-space:pre-wrap;word-break:break-word;font-family:var(--jp-code-font-family,monospace)"
_LEFT = "text-align:left;vertical-align:top;padding:0.15em 0.8em 0.15em 0"


class Shown:
    """Something with two faces: HTML in a notebook, text everywhere else."""

    def __init__(self, html: str, text: str) -> None:
        self._html = html
        self._text = text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def check(target: str | None = None) -> Shown:
    """Run this lesson's checks on the main.py beside the notebook and show what they found.

    `target` points them at something else: `"solution"`, or `"mistake:NAME"` for a wrong answer.
    """
    try:
        if target is not None and not isinstance(target, str):
            raise LessonError("check() looks at the lesson of this notebook; leave the number out.")
        chosen, mine = _here()
        target = target or mine
        report = run(chosen, target)
        if target == "work":
            Progress(find_course()).record(chosen, report)
    except LessonError as error:
        return _sentence(str(error))
    from lessonkit.terminal import as_text

    return Shown(_html(report, chosen), as_text(report, chosen))


def hint() -> Shown:
    """Show the next hint of the first check that fails now."""
    try:
        chosen, target = _here()
        return _sentence(str(next_hint(chosen, run(chosen, target), Progress(find_course()))))
    except LessonError as error:
        return _sentence(str(error))


class Prediction:
    """A guess that was taken before a cell is run. `compare(measured)` sets it beside what came out."""

    def __init__(self, question: str, options: tuple[str, ...], guess: str | None) -> None:
        self.question = question
        self.options = options
        self.guess = guess

    def compare(self, measured: object) -> Shown:
        """Show the guess beside the measurement; a wrong guess is where the learning is."""
        found = str(measured)
        if self.guess is None:
            verdict = "no guess this time"
        else:
            verdict = "as you guessed" if self.guess == found else f"you guessed {self.guess}"
        text = f"Measured: {found} ({verdict})"
        return Shown(f"<p><b>Measured: {escape(found)}</b> ({escape(verdict)})</p>", text)

    def __repr__(self) -> str:
        listed = " / ".join(self.options)
        chosen = f"Your guess: {self.guess}" if self.guess else 'Guess by adding guess="…" to the call.'
        return f"{self.question}\n  {listed}\n{chosen}"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        buttons = self._buttons()
        if buttons is None:
            print(repr(self))
        else:
            display(buttons)  # type: ignore[no-untyped-call]

    def _buttons(self) -> Any:
        """The question with a button for each option; None where widgets cannot be made."""
        try:
            import ipywidgets  # type: ignore[import-untyped]
        except ImportError:
            return None
        choice = ipywidgets.ToggleButtons(
            options=self.options,
            value=self.guess,
            description="",
            tooltips=[self.question] * len(self.options),
        )
        choice.observe(self._chosen, names="value")
        return ipywidgets.VBox([ipywidgets.HTML(f"<b>{escape(self.question)}</b>"), choice])

    def _chosen(self, change: dict[str, Any]) -> None:
        self.guess = change["new"]


def predict(question: str, *options: object, guess: object = None) -> Prediction:
    """Ask for a guess before the next cell is run: buttons in a notebook, `guess=` everywhere else.

    Keep what it returns and call `compare(measured)` on it after the measurement.
    """
    return Prediction(question, tuple(map(str, options)), None if guess is None else str(guess))


def _here() -> tuple[Lesson, str]:
    """The lesson of the kernel's folder, and the target that its checks look at."""
    course, folder = find_course(), Path.cwd().resolve()
    lesson = next((one for one in course.lessons() if one.name == folder.name), None)
    if lesson is None:
        raise LessonError(
            "This notebook is not in a lesson's working folder. "
            "Run `uv run lesson start`, and open the notebook that it puts into work/."
        )
    return lesson, "work" if folder == lesson.work.resolve() else str(folder)


def _sentence(text: str) -> Shown:
    lines = "<br>".join(escape(line) for line in text.splitlines())
    return Shown(f'<p style="max-width:60em">{lines}</p>', text)


def _html(report: Report, lesson: Lesson) -> str:
    done = f"{report.passed} of {report.total} checks pass"
    caption = f"Lesson {lesson.number} · {escape(lesson.title)}: {done}"
    rows = "".join(_row(one) for one in report.checks)
    table = (
        f'<table style="margin:0"><caption style="{_LEFT};font-weight:bold">{caption}</caption>'
        f'<thead><tr><th scope="col" style="{_LEFT}">Verdict</th><th scope="col" style="{_LEFT}">Check</th>'
        f'<th scope="col" style="{_LEFT}">Operation</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    if report.error is not None:
        return f"{_box('main.py cannot be checked yet', report.error.text())}<details><summary>{done}</summary>{table}</details>"
    if report.failures:
        first, *others = report.failures
        more = "".join(
            f"<details><summary>✗ {escape(one.title)}</summary>{_box(one.title, one.message or '')}</details>"
            for one in others
        )
        return table + _box(first.title, first.message or "") + more
    return f'{table}<p style="{_GOOD}"><b>✓ All {report.total} checks pass.</b></p>'


def _row(one: CheckResult) -> str:
    verdict = (
        f'<span style="{_GOOD}">✓ passed</span>' if one.passed else f'<span style="{_BAD}">✗ failed</span>'
    )
    return (
        f'<tr><td style="{_LEFT}">{verdict}</td><td style="{_LEFT}">{escape(one.title)}</td>'
        f'<td style="{_LEFT}"><code>{escape(one.operation)}</code></td></tr>'
    )


def _box(title: str, message: str) -> str:
    rows = "".join(
        f'<tr><th scope="row" style="{_LEFT};white-space:nowrap">{escape(label)}</th>'
        f'<td style="{_LEFT};{_CODE}">{escape(shorten(text, 1_500))}</td></tr>'
        for label, text in parts(message)
    )
    return (
        f'<div role="group" aria-label="{escape(title)}" style="{_BOX};{_BAD}"><b>✗ {escape(title)}</b>'
        f'<table style="margin:0;color:var(--jp-content-font-color1,inherit)"><tbody>{rows}</tbody></table></div>'
    )
