"""PyTorch on the GPU: what it makes, replayed in a CUDA graph, called from Python, and what is launched."""

import functools
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.cases import Case, Work
from benchmarks.gpu.checking import WrongPlanError, difference
from benchmarks.gpu.found import Missing, Times, times
from benchmarks.gpu.loads import NumPyArray
from benchmarks.gpu.work import call_of

DEVICE = "cuda"
FIRST_CALLS, FIRST_REPLAYS = 3, 50  # not timed
# Clocks that the GPU is kept busy before each replay, about 100 us: so the replay is in its queue when it gets there.
BUSY = 200_000


def made(case: Work, load: NumPyArray) -> Any:
    """A plan for loads [layers, experts] float32, or what else the case makes of its tokens, in host memory."""
    return in_host_memory(_call(case, torch.asarray(load, device=DEVICE)))


def in_host_memory(result: Any) -> Any:
    """All of its tensors as NumPy has them."""
    return type(result)(*(array.cpu().numpy() for array in result))


def graph(case: Work, sets: NumPyArray, replays: int) -> Times:
    """The time of a plan in a CUDA graph, between events; other loads are put in before each replay."""
    loads = torch.asarray(sets, device=DEVICE)
    load = loads[0].clone()
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(FIRST_CALLS):
            _call(case, load)
    torch.cuda.current_stream().wait_stream(beside)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        result = _call(case, load)

    rounds = []
    for number in range(FIRST_REPLAYS + replays):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        load.copy_(loads[number % len(loads)])
        torch.cuda._sleep(BUSY)  # torch has no public one
        begin.record()
        captured.replay()
        end.record()
        rounds.append((begin, end))
    torch.cuda.synchronize()

    found = difference(in_host_memory(result), in_host_memory(_call(case, load)))
    if found is not None:
        raise WrongPlanError(f"{case}: {found[0]} [{found[1]}] from the graph is not that of a call")
    return times([1e3 * begin.elapsed_time(end) for begin, end in rounds[FIRST_REPLAYS:]], len(sets))


def eager(case: Work, sets: NumPyArray, rounds: int) -> Times:
    """The time of a call from Python, until the GPU has the plan."""
    loads = torch.asarray(sets, device=DEVICE)
    spent = []
    for number in range(FIRST_CALLS + rounds):
        load = loads[number % len(loads)]
        torch.cuda.synchronize()
        begin = time.perf_counter()
        _call(case, load)
        torch.cuda.synchronize()
        spent.append(1e6 * (time.perf_counter() - begin))
    return times(spent[FIRST_CALLS:])


def launches(case: Work, sets: NumPyArray) -> tuple[str, ...] | Missing:
    """All that one call puts on the GPU: kernels, copies and memsets, by name."""
    load = torch.asarray(sets[0], device=DEVICE)
    _call(case, load)
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiled:  # else it warns
        _call(case, load)
        torch.cuda.synchronize()
    names = tuple(event.name for event in profiled.events() or () if event.device_type.name == "CUDA")
    return names or Missing("torch.profiler saw nothing on the GPU")


def phy2log(case: Case, sets: NumPyArray) -> NumPyArray:
    """The slots of all sets: [sets, layers, replicas]."""
    plans = [_call(case, load).phy2log for load in torch.asarray(sets, device=DEVICE)]
    slots: NumPyArray = torch.stack(plans).cpu().numpy()
    return slots


def _call(case: Work, load: torch.Tensor) -> Any:
    return _call_on(case, DEVICE)(load)


@functools.lru_cache(maxsize=1)
def _call_on(case: Work, device: str) -> Callable[[torch.Tensor], Any]:
    return call_of(case, functools.partial(torch.asarray, device=device))
