"""The same work in several threads at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")


def at_once(work: Callable[[int], R], threads: int) -> list[R]:
    """What each thread returns, given its number; all start when the last one is there."""
    barrier = threading.Barrier(threads)

    def when_all_are_there(thread: int) -> R:
        barrier.wait(60)
        return work(thread)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(when_all_are_there, range(threads)))


def elsewhere(look: Callable[[], R]) -> R:
    """What another thread sees."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(look).result()
