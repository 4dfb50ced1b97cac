"""Real processes for suites and notebooks: `python main.py`, its workers, its signals, its end."""

from lessonkit.processes.program import Program, Reply, free_port, serving

__all__ = ["Program", "Reply", "free_port", "serving"]
