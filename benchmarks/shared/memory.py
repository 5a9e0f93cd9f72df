"""The most memory that a plan needs at once, its result included and its input not.

NumPy says what it allocates to tracemalloc, PyTorch to its profiler; XLA lays all buffers of a program
out when it compiles it. Each counts what arrays take, and none what a routine may use inside a single
operation without saying so, as a row's worth for sorting in XLA.
"""

import tracemalloc
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import torch


def numpy_peak(call: Callable[[], Any]) -> int:
    """Bytes, by tracemalloc."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        result = call()  # to be kept while the peak is read
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del result
    return peak - before


def torch_peak(call: Callable[[], Any]) -> int:
    """Bytes on the CPU: the highest of the sums of all allocations and releases that the profiler saw so far.

    What NumPy allocates under the same call comes on top, from a second call. That is exact where all
    arrays are one library's, as they are in a plan, and else no less than the peak.
    """
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        result = call()
    del result
    profiler: Any = profile.profiler
    events = [event for event in profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = sorted((event.start_ns(), event.nbytes()) for event in events)
    return max(accumulate((change for _, change in changes), initial=0)) + numpy_peak(call)


def xla_peak(compiled: Any) -> int:
    """Bytes of a compiled program: its results, and the arena that holds everything else."""
    sizes = compiled.memory_analysis()
    peak: int = sizes.output_size_in_bytes + sizes.temp_size_in_bytes
    return peak
