"""Time on the device, all ranks starting together."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
import torch.distributed as dist

WARM, REPEATS, IN_A_ROW = 2, 7, 10  # on a GPU; a processor's times mean nothing, so it does all of it once


class Clock:
    """What passes between marks, in the order of the device's own work."""

    def __init__(self, device: torch.device) -> None:
        self.is_gpu = device.type == "cuda"
        self.together = torch.zeros(1, device=device)
        self.marks: list[tuple[str, Any]] = []

    def start(self) -> None:
        """Begin, once all ranks are here."""
        dist.all_reduce(self.together)
        self.marks = []
        self("start")

    def __call__(self, name: str) -> None:
        """Note that something has been done."""
        if self.is_gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.marks.append((name, event))
        else:
            self.marks.append((name, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        """What each took, and all together as ``layer``."""
        if self.is_gpu:
            torch.cuda.synchronize()
        before, found = self.marks[:-1], {}
        for (_, since), (name, until) in zip(before, self.marks[1:], strict=True):
            found[name] = self._between(since, until)
        return found | {"layer": self._between(self.marks[0][1], self.marks[-1][1])}

    def _between(self, since: Any, until: Any) -> float:
        return since.elapsed_time(until) / 1e3 if self.is_gpu else until - since


def phases(device: torch.device, step: Callable[[Clock], object]) -> dict[str, float]:
    """Medians of what a step marks, on this rank."""
    clock, found = Clock(device), []
    warm, repeats = (WARM, REPEATS) if clock.is_gpu else (0, 1)
    for turn in range(warm + repeats):
        clock.start()
        step(clock)
        clock("combine")
        if turn >= warm:
            found.append(clock.seconds())
    return {name: median(each[name] for each in found) for name in found[0]}


def in_a_row(device: torch.device, step: Callable[[], object]) -> float:
    """Seconds of one of several steps behind each other: the median of some times, on this rank."""
    number = IN_A_ROW if device.type == "cuda" else 1

    def steps(_: Clock) -> None:
        for _turn in range(number):
            step()

    return phases(device, steps)["layer"] / number
