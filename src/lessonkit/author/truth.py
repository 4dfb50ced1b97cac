"""The truth matrix: which verdict each target must get, and what is wrong with a report that differs."""

from collections.abc import Iterator
from dataclasses import replace

from lessonkit.course import Lesson
from lessonkit.mistakes import Mistake, read_mistakes
from lessonkit.nulls import NULL_APPS
from lessonkit.redis_server import left_out
from lessonkit.report import CheckResult, Report
from lessonkit.runner import run
from lessonkit.suite import checks_of

OWN_WORDS = {"assertion", "route"}
EVERY_CHECK = "*"
WITHOUT_PROCESSES = "not process"


def targets(lesson: Lesson) -> list[str]:
    """Every target that the matrix runs a lesson's suite on."""
    return [
        "solution",
        "starter",
        *(f"null:{name}" for name in NULL_APPS),
        *(mistake.target for mistake in read_mistakes(lesson)),
    ]


def report(lesson: Lesson, target: str) -> Report:
    """Run the lesson's suite on a target of the matrix, without the checks that start processes where it can."""
    return run(lesson, target, select="" if target in needing_processes(lesson) else WITHOUT_PROCESSES)


def needing_processes(lesson: Lesson) -> set[str]:
    """The targets whose verdicts need the checks that start processes, which take ten times as long.

    A mistake that lists none of these checks can do without.
    """
    starting = {check.name for check in checks_of(lesson) if check.starts_processes}
    listed = {one.target: set(one.caught_by) for one in read_mistakes(lesson)}
    return {
        target
        for target in targets(lesson)
        if starting and (not listed.get(target) or starting & listed[target])
    }


def faults(lesson: Lesson, report: Report) -> list[str]:
    """What is wrong with the verdict that `report.target` got, a sentence each; empty when it is right."""
    if report.target == "solution":
        return list(_solution(report))
    if report.target == "starter" or report.target.startswith("null:"):
        return list(_nothing_done(lesson, report))
    mistake = next(one for one in read_mistakes(lesson) if one.target == report.target)
    return list(_mistake(_seen_here(mistake, left_out(lesson)), report))


def _solution(report: Report) -> Iterator[str]:
    if report.error is not None:
        yield f"The solution cannot be checked: {report.error.text()}"
    for check in report.failures:
        yield f"The solution fails {check.id}: {check.message}"
    if not report.checks:
        yield "The suite has no check."


def _nothing_done(lesson: Lesson, report: Report) -> Iterator[str]:
    if report.error is not None:
        yield f"The {report.target} does not load: {report.error.text()}"
        return
    guards = {check.name for check in checks_of(lesson) if check.task.guard}
    for check in report.checks:
        if check.passed and check.name not in guards:
            yield (
                f"{check.id} passes on {report.target}, where no work was done. Let it assert what only work "
                "can bring about, or give it a guard= with the reason."
            )
        yield from _by_accident(check, report)


def _mistake(mistake: Mistake, report: Report) -> Iterator[str]:
    if report.error is not None and EVERY_CHECK not in mistake.caught_by:
        yield f"{mistake.name} does not load: {report.error.text()}"
        return
    failed = {check.name for check in report.failures}
    names = {check.name for check in report.checks}
    wanted = names if EVERY_CHECK in mistake.caught_by else set(mistake.caught_by)
    for name in sorted(wanted - failed):
        known = "passes it" if name in names else "cannot fail it, for there is no such check"
        yield f"{mistake.name} must be caught by {name}, and {known}."
    for check in report.failures:
        if check.name not in wanted and check.name not in mistake.may_also_fail:
            yield f"{mistake.name} also fails {check.id}, which its caught_by does not list: {check.message}"
        if report.error is None:
            yield from _by_accident(check, report)
    first = report.failures[0].message if report.failures else ""
    if mistake.kind == "mistake" and not mistake.says:
        yield f"{mistake.name} has no says: the words that tell this mistake's cause."
    for text in mistake.says:
        if text not in (first or ""):
            yield f"The message that {mistake.name} gets first does not say {text!r}. It is: {first}"


def _seen_here(mistake: Mistake, absent: set[str]) -> Mistake:
    """The mistake as a machine sees it that leaves out the checks of `absent`; one that they alone catch passes."""
    caught = tuple(name for name in mistake.caught_by if name not in absent)
    if caught or not mistake.caught_by:
        return replace(mistake, caught_by=caught)
    return replace(mistake, kind="answer", caught_by=(), says=())


def _by_accident(check: CheckResult, report: Report) -> Iterator[str]:
    if not check.passed and check.reason not in OWN_WORDS:
        yield f"{check.id} fails on {report.target} by accident, not with a message of its own: {check.message}"
