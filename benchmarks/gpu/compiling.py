"""Kernels are compiled beforehand, many at once: one after the other would take most of the time."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from benchmarks.gpu import by_torch
from benchmarks.gpu.cases import Work
from benchmarks.gpu.work import timed

MOST_PROCESSES = 16


def compile_all(cases: Iterable[Work], announce: Callable[[str], None]) -> None:
    """Do the work of each case once in some other process, which leaves its kernels in Triton's cache.

    What fails there fails here too, where it is reported.
    """
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        planned = {pool.submit(_plan_once, case): case for case in cases}
        for future in as_completed(planned):
            announce(f"compiled {planned[future]}")
            future.exception()


def _plan_once(case: Work) -> None:
    by_torch.made(case, timed(case)[0])
