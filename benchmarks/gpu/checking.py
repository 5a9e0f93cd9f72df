"""Plans, shares, quotas and slots on the GPU are those of NumPy, or nothing is timed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.gpu.batches import Routing
from benchmarks.gpu.cases import Work
from benchmarks.gpu.loads import NumPyArray
from benchmarks.gpu.work import call_of, checked


class WrongPlanError(Exception):
    """A plan that is not what it should be, or what is made of one."""


def check(case: Work, seed: int, by: Callable[[Any, NumPyArray], Any]) -> None:
    """Compare plans of fresh loads of every family with NumPy's, all entries of all maps, or of each batch.

    Raises
    ------
    WrongPlanError
        Where any entry differs.
    """
    on_numpy = call_of(case, lambda x: x)
    row = "token" if isinstance(case, Routing) else "layer"
    for load, families in checked(case, seed):
        found = difference(by(case, load), on_numpy(load))
        if found is not None:
            name, i = found
            raise WrongPlanError(
                f"{case}: {name} of {row} {i} ({families[i]} loads) is not NumPy's; --seed {seed} repeats it"
            )


def difference(got: Any, want: Any) -> tuple[str, int] | None:
    """The first map and layer in which plans differ, or shares, or slots of tokens; arrays in host memory."""
    for name, ours, theirs in zip(want._fields, got, want, strict=True):
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            return name, 0
        rows = np.flatnonzero((np.asarray(ours) != np.asarray(theirs)).reshape(len(ours), -1).any(axis=1))
        if rows.size:
            return name, int(rows[0])
    return None
