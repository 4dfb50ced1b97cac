"""Waiting gives up when nothing goes on any more, and not before."""

import threading
import time

from lessonkit.patience import LIMIT_SECONDS, TICK_SECONDS, Patience

LOOKS = 40


def _looks(patience: Patience, news: "list[object]") -> list[bool]:
    over = []
    for seen in news:
        over.append(patience.over(seen))
        time.sleep(TICK_SECONDS)
    return over


def test_it_is_over_when_nothing_goes_on() -> None:
    patience = Patience(ticks=3)
    while not patience.over():
        time.sleep(TICK_SECONDS)
    assert patience.over()


def test_news_begins_the_wait_again() -> None:
    assert not any(_looks(Patience(ticks=5), list(range(LOOKS))))


def test_a_process_that_computes_is_waited_for() -> None:
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(1_000))

    computing = threading.Thread(target=compute)
    computing.start()
    try:
        assert not any(_looks(Patience(ticks=10), [None] * LOOKS))
    finally:
        stop.set()
        computing.join()


def test_there_is_a_last_moment() -> None:
    patience = Patience(ticks=1_000_000)
    patience._began -= LIMIT_SECONDS
    assert patience.over()
