"""A report as HTML: colours that read in light and dark, and never as the only signal."""

from html import escape

from lessonkit.course import Course, Lesson
from lessonkit.notebook.shown import BAD, GOOD
from lessonkit.report import CheckResult, Report, parts, shorten

_GOOD = f"color:{GOOD}"
_BAD = f"color:{BAD}"
_BOX = f"border-left:4px solid {BAD};padding:0.4em 0.8em;margin:0.4em 0;max-width:60em"
_CODE = "white-space:pre-wrap;word-break:break-word;font-family:var(--jp-code-font-family,monospace)"
_LEFT = "text-align:left;vertical-align:top;padding:0.15em 0.8em 0.15em 0"


def as_html(report: Report, lesson: Lesson) -> str:
    """The report as a table; the first failing check in full, the others folded."""
    done = f"{report.passed} of {report.total} checks pass"
    caption = f"Lesson {lesson.number} · {escape(lesson.title)}: {done}"
    pairs = zip((None, *report.checks), report.checks, strict=False)
    rows = "".join(_part(before, one) + _row(one) for before, one in pairs)
    above = "Every check" if report.failures and report.error is None else caption
    table = (
        f'<table style="margin:0"><caption style="{_LEFT};font-weight:bold">{above}</caption>'
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
        return f"<p><b>{caption}</b></p>{_box(first.title, first.message or '')}{table}{more}"
    return f'{table}<p style="{_GOOD}"><b>✓ All {report.total} checks pass.</b></p><p>{escape(_onward(lesson))}</p>'


def _onward(lesson: Lesson) -> str:
    later = Course(lesson.root).after(lesson)
    following = f" Then, in a terminal: uv run lesson start {later.number}" if later else ""
    return f"diff() shows our solution beside yours.{following}"


def _part(above: CheckResult | None, one: CheckResult) -> str:
    """A heading's row, where a check is the first of its part."""
    if not one.part or (above is not None and above.part == one.part):
        return ""
    return f'<tr><th scope="rowgroup" colspan="3" style="{_LEFT}">{escape(one.part)}</th></tr>'


def _row(one: CheckResult) -> str:
    verdict = (
        f'<span style="{_GOOD}">✓ passed</span>' if one.passed else f'<span style="{_BAD}">✗ failed</span>'
    )
    return (
        f'<tr><td style="{_LEFT};white-space:nowrap">{verdict}</td><td style="{_LEFT}">{escape(one.title)}</td>'
        f'<td style="{_LEFT};white-space:nowrap"><code>{escape(one.operation)}</code></td></tr>'
    )


def _box(title: str, message: str) -> str:
    rows = "".join(
        f'<tr><th scope="row" style="{_LEFT};white-space:nowrap">{escape(label)}</th>'
        f'<td style="{_LEFT};{_CODE}">{escape(shorten(text, 1_500))}</td></tr>'
        for label, text in parts(message)
    )
    return (
        f'<div role="group" aria-label="{escape(title)}" style="{_BOX}"><b style="{_BAD}">✗ {escape(title)}</b>'
        f'<table style="margin:0"><tbody>{rows}</tbody></table></div>'
    )
