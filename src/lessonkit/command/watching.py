"""`lesson watch`: a save runs the checks, a newer save stops an older run, and keys do the rest."""

import asyncio
from contextlib import suppress

from lessonkit.command.keyboard import keyboard
from lessonkit.course import Course, Lesson
from lessonkit.hints import next_hint
from lessonkit.progress import Progress
from lessonkit.report import Report
from lessonkit.runner import Run
from lessonkit.saves import async_saves
from lessonkit.standby import Standby
from lessonkit.terminal import console, render
from lessonkit.workspace import start

KEYS = "[r] run again   [h] hint   [n] next lesson (when green)   [q] quit"


def watch_lesson(course: Course, lesson: Lesson, progress: Progress) -> None:
    """Watch a lesson until `q`, Ctrl-C or (without a keyboard) the end of input."""
    with suppress(KeyboardInterrupt):
        asyncio.run(Watch(course, lesson, progress).run())


class Watch:
    """The state of one watch: the lesson, the run under way and the last report."""

    def __init__(self, course: Course, lesson: Lesson, progress: Progress) -> None:
        self.course = course
        self.lesson = lesson
        self.progress = progress
        self.report: Report | None = None
        self._run: Run | None = None
        self._standby = Standby()
        self._out = console()
        self._events: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> None:
        """Take events (a save, a key, a finished run) one by one until it is time to leave."""
        background = [asyncio.create_task(self._saves())]
        checking: asyncio.Task[None] | None = None
        self._events.put_nowait("save")
        with keyboard(self._events):
            while (event := await self._events.get()) != "q":
                if event in ("save", "r"):
                    if self._run is not None:
                        self._run.kill()
                    if checking is not None:
                        await checking
                    checking = asyncio.create_task(self._check())
                elif event == "h" and self.report is not None:
                    self._out.print(str(next_hint(self.lesson, self.report, self.progress)), markup=False)
                elif event == "n":
                    self._go_on()
                else:
                    self._out.print(KEYS, style="dim", markup=False)
        if self._run is not None:
            self._run.kill()
        self._standby.end()
        for task in (*background, *([checking] if checking else [])):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _saves(self) -> None:
        while True:
            lesson = self.lesson
            async for _ in async_saves(lesson.work):
                self._events.put_nowait("save")
                if lesson is not self.lesson:
                    break

    async def _check(self) -> None:
        self._run = run = self._standby.take(self.lesson)
        report = await asyncio.to_thread(run.report)
        if run.killed:
            return
        self._run = None
        self._standby.prepare(self.lesson)
        self.report = report
        self.progress.record(self.lesson, report)
        if self._out.is_terminal:
            self._out.clear()
        self._out.print(render(report, self.lesson, advice=False), crop=False)
        self._out.print(KEYS, style="dim", markup=False)

    def _go_on(self) -> None:
        """To the next lesson, when this one is green; never by itself."""
        if self.report is None or not self.report.ok:
            self._out.print(
                "Not yet: the checks of this lesson do not all pass. [h] gives a hint.", markup=False
            )
            return
        later = self.course.after(self.lesson)
        if later is None:
            self._out.print("This was the last lesson.")
            return
        self.lesson, self.report = later, None
        start(self.lesson)
        self._out.print(f"Lesson {self.lesson.number} is in {self.lesson.work}; edit its main.py.")
        self._events.put_nowait("save")
