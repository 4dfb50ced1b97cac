"""A sign of life for what takes its time: a progress bar that goes away when it is over."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any, TypeVar

from lessonkit.notebook.shown import Shown

PATIENCE_SECONDS = 0.4  # what is over by then needs no sign
Result = TypeVar("Result")


def wait_with_a_bar(work: Callable[[], Result], progress: Callable[[], tuple[str, int, int]]) -> Result:
    """Do `work()`, and meanwhile show what `progress()` says: words, how much is done, of how much (0: unknown)."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        bar: Any = None
        while wait_for([running], PATIENCE_SECONDS).not_done:
            bar = _show(bar, *progress())
        if bar is not None:
            bar.update(Shown("", ""))
        return running.result()


def _show(bar: Any, says: str, done: int, of: int) -> Any:
    """Draw the bar, or draw it anew; None where there is no notebook to draw in."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    if not hasattr(get_ipython(), "kernel"):
        return None
    size = f'value="{done}" max="{of}"' if of else ""
    drawn = Shown(f'<label>{says} <progress {size} aria-label="{says}"></progress></label>', f"{says} …")
    if bar is None:
        return display(drawn, display_id=True)  # type: ignore[no-untyped-call]
    bar.update(drawn)
    return bar
