"""The next run of a suite, made ready while its learner still types."""

from lessonkit.course import Lesson
from lessonkit.runner import Run


class Standby:
    """Keeps a process ready for a run that will be asked for again.

    What is ready has collected the checks and not yet looked at the target, so that the verdict is as of the
    moment when its `report()` is called. A suite that was changed since is collected anew.
    """

    def __init__(self) -> None:
        self._ready: tuple[tuple[str, ...], Run] | None = None

    def take(self, lesson: Lesson, target: str = "work") -> Run:
        """A run on this target: the one that is ready, or else a new one."""
        ready, self._ready = self._ready, None
        if ready is not None:
            key, run = ready
            if key == _key(lesson, target) and run.alive:
                return run
            run.kill()
        return Run(lesson, target)

    def prepare(self, lesson: Lesson, target: str = "work") -> None:
        """Make a run on this target ready; whatever else was ready is ended."""
        self.end()
        self._ready = (_key(lesson, target), Run(lesson, target, waits=True))

    def end(self) -> None:
        """End what is ready."""
        ready, self._ready = self._ready, None
        if ready is not None:
            ready[1].kill()


def _key(lesson: Lesson, target: str) -> tuple[str, ...]:
    suite = lesson.suite.stat() if lesson.suite.is_file() else None
    return (str(lesson.suite), target, f"{suite.st_mtime_ns}, {suite.st_size}" if suite else "")
