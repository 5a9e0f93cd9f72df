"""The best of all plans in which no GPU has two replicas of an expert, by integer programming: exact, for small sizes.

What a GPU may hold is a set of replicas of different experts, each one of so many of its expert. An integer says how
many GPUs hold each set, and a bit for each number of replicas of an expert whether it has so many. GPUs that are alike
have no numbers, so that there are no plans that differ in these alone.
"""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.support.libraries import NumPyArray

# SciPy comes with JAX.
optimize: Any = pytest.importorskip("scipy.optimize")
sparse: Any = pytest.importorskip("scipy.sparse")

LESS = 1e-6  # the least share by which a better plan is better
INFEASIBLE = 2  # what SciPy calls it


class Sets(NamedTuple):
    """What a GPU may hold."""

    replica: list[tuple[int, int]]  # expert, and how many replicas it has
    held: NumPyArray  # [sets, slots of a GPU] numbers of replicas
    load: NumPyArray  # [sets]


def best_busiest(load: NumPyArray, gpus: int, slots: int, found: float) -> float:
    """The load of the busiest of so many GPUs of so many slots under the best plan, given that under another plan."""
    while (lower := _below(load, gpus, _sets(load, gpus, slots, found * (1 - LESS)))) is not None:
        found = lower
    return found


def _sets(load: NumPyArray, gpus: int, slots: int, below: float) -> Sets:
    """All sets that weigh less."""
    replica = [(e, n) for e, w in enumerate(load) for n in range(1, gpus + 1) if w / n < below]
    expert = np.array([e for e, _ in replica])
    share = np.array([load[e] / n for e, n in replica])
    held = np.array(list(combinations(range(len(replica)), slots)))
    is_apart = (np.diff(expert[held], axis=1) > 0).all(axis=1)
    held = held[is_apart & (share[held].sum(axis=1) < below)]
    return Sets(replica, held, share[held].sum(axis=1))


def _below(load: NumPyArray, gpus: int, sets: Sets) -> float | None:
    """The load of the busiest GPU under a plan that is made of these sets, if there is one."""
    replica, held, set_load = sets
    experts, replicas, (number, slots) = len(load), len(replica), held.shape
    expert, count = np.array(replica).T
    # Each replica of n stands n times in sets or not at all; each expert has one number of replicas; all GPUs are used.
    one, all_sets = np.arange(replicas), np.arange(number)
    row = np.concatenate([held.T.ravel(), one, replicas + expert, np.full(number, replicas + experts)])
    column = np.concatenate([np.tile(all_sets, slots), number + one, number + one, all_sets])
    value = np.concatenate([np.ones(number * slots), -count, np.ones(replicas + number)])
    matrix = sparse.csr_matrix((value, (row, column)), shape=(replicas + experts + 1, number + replicas))
    equals = np.concatenate([np.zeros(replicas), np.ones(experts), [gpus]])
    result = optimize.milp(
        np.zeros(number + replicas),
        integrality=np.ones(number + replicas),
        bounds=optimize.Bounds(0, np.concatenate([np.full(number, gpus), np.ones(replicas)])),
        constraints=optimize.LinearConstraint(matrix, equals, equals),
    )
    if result.status == INFEASIBLE:
        return None
    assert result.success, result.message
    return float(set_load[result.x[:number] > 0.5].max())
