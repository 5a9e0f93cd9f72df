"""Plans on the GPU are those of NumPy, or nothing is timed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.gpu.cases import Case
from benchmarks.gpu.loads import NumPyArray, fresh
from eplb_xp import Plan, rebalance_experts


class WrongPlanError(Exception):
    """A plan that is not what it should be."""


def check(case: Case, seed: int, planner: Callable[[Case, NumPyArray], Plan[NumPyArray]]) -> None:
    """Compare plans of fresh loads of every family with NumPy's, all entries of all maps.

    Raises
    ------
    WrongPlanError
        Where any entry differs.
    """
    for load, families in fresh(case.layers, case.experts, seed):
        want: Plan[NumPyArray] = rebalance_experts(load, **case.arguments)
        found = difference(planner(case, load), want)
        if found is not None:
            name, layer = found
            raise WrongPlanError(
                f"{case}: {name} of layer {layer} ({families[layer]} loads) is not NumPy's; --seed {seed} repeats it"
            )


def difference(got: Plan[Any], want: Plan[Any]) -> tuple[str, int] | None:
    """The first map and the first layer in which two plans differ; arrays of one library in host memory."""
    for name, ours, theirs in zip(Plan._fields, got, want, strict=True):
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            return name, 0
        layers = np.flatnonzero((np.asarray(ours) != np.asarray(theirs)).reshape(len(ours), -1).any(axis=1))
        if layers.size:
            return name, int(layers[0])
    return None
