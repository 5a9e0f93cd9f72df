"""The steps and layers of recorded loads that were asked for, checked."""

from collections.abc import Sequence

import numpy as np

from eplb_xp.checks import LARGEST
from eplb_xp.loads.files.fields import Numbers, UnfitError

INT64 = 2.0**63 - 1024  # the largest float64 that is an int64


def chosen(load: Numbers, steps: slice, layers: slice, *, sum_steps: bool) -> Numbers:
    """The loads [steps, layers, experts] of the chosen steps and layers, in memory of their own."""
    step_numbers = _numbers(len(load), steps, "step")
    layer_numbers = _numbers(load.shape[1], layers, "layer")
    integers = load.dtype.kind in "iu"
    load = load[steps, layers]
    _check_values(load, INT64 if integers else LARGEST, layer_numbers, step_numbers)
    load = np.array(load, dtype=np.int64 if integers else np.float64, order="C")
    if sum_steps:
        # First as floats: a sum beyond int64 would wrap.
        _check_values(load.sum(axis=0, dtype=np.float64), INT64 if integers else LARGEST, layer_numbers)
        load = load.sum(axis=0)
    return load


def by_step(load: Numbers) -> Numbers:
    """Loads as [steps, layers, experts]."""
    if load.dtype.kind not in "iuf":
        raise UnfitError(f"loads must be integers or real floats, got dtype {load.dtype}")
    if load.ndim < 2:
        raise UnfitError(f"loads must be [layers, experts], perhaps with time or domain before, got shape {load.shape}")
    if load.size == 0:
        raise UnfitError(f"there must be at least one step, layer and expert, got shape {load.shape}")
    return load.reshape(-1, *load.shape[-2:])


def _numbers(count: int, which: slice, name: str) -> Sequence[int]:
    """The numbers of those that are chosen; at least one."""
    numbers = range(count)[which]
    if not numbers:
        bounds = (which.start, which.stop, which.step)[: 2 if which.step is None else 3]
        written = ":".join("" if bound is None else str(bound) for bound in bounds)
        there = f"is 1 {name}" if count == 1 else f"are {count} {name}s"
        raise UnfitError(f"there {there}, and none of them is in {written}")
    return numbers


def _check_values(load: Numbers, most: float, layers: Sequence[int], steps: Sequence[int] = ()) -> None:
    """Refuse what no token count is, in layers and steps of these numbers, or in the sum of the steps."""
    largest = np.float64(most)  # NumPy's own float widens float16
    if load.min() >= 0 and load.max() <= largest:  # not so where one is NaN
        return
    bad = ~((load >= 0) & (load <= largest))
    first = tuple(np.argwhere(bad)[0])
    place = f"layer {layers[first[-2]]}, expert {first[-1]}"
    step = f"step {steps[first[0]]}" if steps else "the sum of the steps"
    raise UnfitError(
        f"loads are token counts, but {np.count_nonzero(bad)} of them are negative, NaN or above {most:.4g}, "
        f"the first {load[first]} in {step}, {place}"
    )
