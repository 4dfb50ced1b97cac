"""A lesson in front of a class: the step on the screen, its files in work/, its app served, its checks run."""

import asyncio
import sys
from contextlib import suppress

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from lessonkit.checkpoints import Step, checkpoint, mistake_of, steps_of, with_mistake
from lessonkit.command.keyboard import keyboard
from lessonkit.course import Lesson, LessonError
from lessonkit.report import Report
from lessonkit.runner import Run, preload
from lessonkit.saves import async_saves
from lessonkit.terminal import console, render_failure
from lessonkit.workspace import place, start

KEYS = "[→] next   [←] back   [m] show the mistake   [u] take it back   [c] check   [q] end"
NEXT, BACK = (
    {"right", "n", " ", "pagedown"},
    {"left", "p", "pageup"},
)  # a presenter's remote sends page down and up
WIDTH = 72  # columns: what large type leaves on a projector
OTHER_LINES = 20  # of the screen: what stands above and below the checks
FEWEST_CHECKS = 4


def present(lesson: Lesson, number: int) -> bool:
    """Show a lesson from the state after step `number` on, until its presenter ends it.

    Returns whether every check that the steps so far name was green when it was looked at last.
    """
    start(lesson)
    preload([lesson])
    presenter = Presenter(lesson, number)
    with suppress(KeyboardInterrupt):
        asyncio.run(presenter.run())
    return presenter.as_named


class Presenter:
    """The state of one demonstration: the step, whether its mistake is in, and the last report."""

    def __init__(self, lesson: Lesson, number: int) -> None:
        self.lesson = lesson
        self.steps = steps_of(lesson)
        self.number = number
        self.mistaken = False
        self.report: Report | None = None
        self._run: Run | None = None
        self._url = ""
        self._note = ""
        self._out = console()
        self._events: asyncio.Queue[str] = asyncio.Queue()

    @property
    def step(self) -> Step | None:
        """The step that was done last; None at the starter."""
        return self.steps[self.number - 1] if self.number else None

    @property
    def as_named(self) -> bool:
        """Whether every check that the steps so far name is green, as far as was looked."""
        if self.report is None or self.mistaken:
            return True
        green = {name for step in self.steps[: self.number] for name in step.green}
        return not green & {check.name for check in self.report.failures}

    async def run(self) -> None:
        """Show the step; then, at a keyboard, follow keys and saves until it is time to end."""
        self._place()
        if not sys.stdin.isatty():
            await self._check()
            return
        from lessonkit.live import serve, stop_all

        self._url = serve(
            self.lesson, self.lesson.work, log=self.lesson.work.parent / ".servers" / "demo.log"
        ).url
        watching = asyncio.create_task(self._saves())
        checking = asyncio.create_task(self._check())
        try:
            with keyboard(self._events):
                while (event := await self._events.get()) != "q":
                    if not self._act(event):
                        continue
                    if self._run is not None:
                        self._run.kill()
                    await checking
                    checking = asyncio.create_task(self._check())
        finally:
            if self._run is not None:
                self._run.kill()
            for task in (watching, checking):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            stop_all()

    def _act(self, event: str) -> bool:
        """Do what an event asks for; False where it asks for nothing."""
        if event in NEXT and self.number < len(self.steps):
            self.number, self.mistaken = self.number + 1, False
        elif event in BACK and self.number:
            self.number, self.mistaken = self.number - 1, False
        elif event == "m" and self.step is not None and self.step.mistake:
            self.mistaken = True
        elif event == "u":
            self.mistaken = False
        else:
            return event in ("c", "save")
        self._place()
        return True

    def _place(self) -> None:
        """Bring the files to the state of the step; what somebody typed there is saved first."""
        files = (
            with_mistake(self.lesson, self.number) if self.mistaken else checkpoint(self.lesson, self.number)
        )
        backup = place(self.lesson, files, _known(self.lesson))
        self._note = (
            f"What was there: uv run lesson reset {self.lesson.number} --to {backup.name}" if backup else ""
        )
        self.report = None

    async def _saves(self) -> None:
        async for _ in async_saves(self.lesson.work):
            self._events.put_nowait("save")

    async def _check(self) -> None:
        self._show()
        self._run = run = Run(self.lesson)
        report = await asyncio.to_thread(run.report)
        if not run.killed:
            self._run, self.report = None, report
            self._show()

    def _show(self) -> None:
        if self._out.is_terminal:
            self._out.clear()
        elif self.report is None:
            return
        self._out.print(Padding(self._picture(), (1, 2)), width=WIDTH + 4)

    def _picture(self) -> RenderableType:
        step, last = self.step, len(self.steps)
        rows: list[RenderableType] = [Text(f"Lesson {self.lesson.number} · {self.lesson.title}", "dim")]
        if step is None:
            rows += [Text("The starter", "bold"), Text(), Text(f"{last} steps follow.")]
        else:
            minutes = Text(f"   step {self.number} of {last} · {step.minutes:g} min", "dim")
            rows += [Text(step.title, "bold") + minutes, Text(), Text(step.say)]
        rows += [Text(), *self._verdict()]
        if self.mistaken and step is not None:
            rows += [Text(), Text(f"On purpose: {mistake_of(self.lesson, step).why}", "bold yellow")]
        elif step is not None and step.mistake:
            rows += [Text(), Text(f"[m] {mistake_of(self.lesson, step).why}", "dim")]
        if self.report is not None and (self.mistaken or not self.as_named) and self.report.failures:
            rows += [Text(), *render_failure(self.report.failures[0])]
        rows += [Text(), Text(self._note, "dim")] if self._note else []
        rows += [Text(f"{self._url}/docs", "cyan"), Text(KEYS, "dim")] if self._url else []
        return Group(*rows)

    def _verdict(self) -> list[RenderableType]:
        if self.report is None:
            return [Text("The checks run …", "dim")]
        if self.report.error is not None:
            return [Text(self.report.error.text(), "red")]
        named = set(self.step.green) if self.step else set()
        shown = [
            check
            for check in sorted(self.report.checks, key=lambda check: check.passed)  # red ones first
            if check.name in named or (self.mistaken and not check.passed)
        ]
        most = max(self._out.height - OTHER_LINES, FEWEST_CHECKS) if self._out.is_terminal else len(shown)
        rows: list[RenderableType] = [
            Text.assemble(("✓ ", "green") if check.passed else ("✗ ", "bold red"), check.title)
            for check in shown[:most]
        ]
        if len(shown) > most:
            rows.append(Text(f"… and {len(shown) - most} more", "dim"))
        if self.step is not None and not named:
            rows.append(Text("No check turns green with this step alone.", "dim"))
        return [*rows, Text(f"{self.report.passed} of {self.report.total} checks pass.", "bold")]


def _known(lesson: Lesson) -> set[str]:
    """Every text that a demonstration may have put there: none of these is worth a backup."""
    texts: set[str] = set()
    for number in range(len(steps_of(lesson)) + 1):
        texts |= set(checkpoint(lesson, number).values())
        with suppress(LessonError):
            texts |= set(with_mistake(lesson, number).values())
    return texts
