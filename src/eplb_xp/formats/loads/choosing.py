"""The steps and layers of recorded loads that were asked for, checked."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from eplb_xp.checks import LARGEST
from eplb_xp.formats.fields import Numbers, UnfitError
from eplb_xp.formats.loads.recorded import Recorded

INT64 = 2.0**63 - 1024  # the largest float64 that is an int64


def nothing(_: str) -> None:
    """Announce to nobody."""


class Chosen(NamedTuple):
    """Some steps and layers of recorded loads."""

    recorded: Recorded
    steps: Sequence[int]
    layers: slice

    def each(self, announce: Callable[[str], None] = nothing) -> Iterator[Numbers]:
        """Step after step, checked: [layers, experts] int64 where the file has integers, else float64."""
        layer_numbers = range(self.recorded.num_layers)[self.layers]
        experts = None
        for number in self.steps:
            announce("reading step")
            load = self.recorded.step(number)
            experts = load.shape[-1] if experts is None else experts
            if load.size == 0:
                raise UnfitError(f"there must be at least one step, layer and expert, got shape {load.shape}")
            if load.shape != (self.recorded.num_layers, experts):
                raise UnfitError(
                    f"step {number} has shape {load.shape}, and others have {self.recorded.num_layers} layers of "
                    f"{experts} experts"
                )
            load = load[self.layers]
            integers = load.dtype.kind in "iu"
            _check_values(load, INT64 if integers else LARGEST, layer_numbers, f"step {number}")
            yield np.array(load, dtype=np.int64 if integers else np.float64, order="C")

    def together(self, announce: Callable[[str], None] = nothing) -> Numbers:
        """All of them: [steps, layers, experts]."""
        all_steps = np.empty(0)
        for place, load in enumerate(self.each(announce)):
            if place == 0:
                all_steps = np.empty((len(self.steps), *load.shape), load.dtype)
            if load.dtype.kind == "f" and all_steps.dtype.kind == "i":
                all_steps = all_steps.astype(np.float64)
            all_steps[place] = load
        return all_steps

    def summed(self) -> Numbers:
        """Their sum: [layers, experts]."""
        exact = np.zeros((), np.int64)
        rounded = np.zeros(())  # beyond int64 the exact sum would wrap
        has_floats = False
        for load in self.each():
            has_floats |= load.dtype.kind == "f"
            with np.errstate(over="ignore"):
                exact = exact + (load if load.dtype.kind == "i" else 0)
            rounded = rounded + load
        layer_numbers = range(self.recorded.num_layers)[self.layers]
        _check_values(rounded, LARGEST if has_floats else INT64, layer_numbers, "the sum of the steps")
        return rounded if has_floats else exact


def chosen(recorded: Recorded, steps: slice, layers: slice) -> Chosen:
    """Those of a file; there must be at least one of each."""
    _numbers(recorded.num_layers, layers, "layer")
    return Chosen(recorded, _numbers(recorded.num_steps, steps, "step"), layers)


def _numbers(count: int, which: slice, name: str) -> Sequence[int]:
    """The numbers of those that are chosen; at least one."""
    numbers = range(count)[which]
    if not numbers:
        bounds = (which.start, which.stop, which.step)[: 2 if which.step is None else 3]
        written = ":".join("" if bound is None else str(bound) for bound in bounds)
        there = f"is 1 {name}" if count == 1 else f"are {count} {name}s"
        raise UnfitError(f"there {there}, and none of them is in {written}")
    return numbers


def _check_values(load: Numbers, most: float, layers: Sequence[int], step: str) -> None:
    """Refuse what no token count is, in layers of these numbers."""
    largest = np.float64(most)  # NumPy's own float widens float16
    if load.min() >= 0 and load.max() <= largest:  # not so where one is NaN
        return
    bad = ~((load >= 0) & (load <= largest))
    layer, expert = np.argwhere(bad)[0]
    raise UnfitError(
        f"loads are token counts, but {np.count_nonzero(bad)} of them are negative, NaN or above {most:.4g}, "
        f"the first {load[layer, expert]} in {step}, layer {layers[layer]}, expert {expert}"
    )
