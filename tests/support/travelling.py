"""Plans that follow each other, and weights of several kinds to be moved between them; in NumPy, for many processes."""

from typing import Any, NamedTuple

import numpy as np

from eplb_xp import Moves, moves, rebalance_experts
from tests.support.library import NumPyArray

LAYERS, EXPERTS = 3, 16
# Of one expert: two matrices, a scale, and what NCCL has no type for.
KINDS = {"up": ((6, 4), "bfloat16"), "down": ((4, 6), "float32"), "scale": ((), "float32"), "zeros": ((5,), "int16")}
EXPERT_BYTES = 6 * 4 * 2 + 4 * 6 * 4 + 4 + 5 * 2


class Change(NamedTuple):
    """The plan in use, -1 where a slot holds nothing, and the one to follow."""

    previous: NumPyArray  # [layers, slots]
    plan: NumPyArray  # [layers, slots]
    gpus: int

    @property
    def moves(self) -> Moves[NumPyArray]:
        return moves(self.previous, self.plan, self.gpus)


def checkpoint() -> dict[str, NumPyArray]:
    """The weights of all experts [layers, experts, ...], no two cells likely alike; the types are for each to give."""
    rng = np.random.default_rng(0)
    return {name: 99 * rng.standard_normal((LAYERS, EXPERTS, *shape)) for name, (shape, _) in KINDS.items()}


def held(x: Any, phy2log: NumPyArray, empty: Any) -> Any:
    """What slots hold of one kind [layers, slots, ...], of any library; ``empty`` where there is nothing."""
    found = x[np.arange(LAYERS)[:, None], np.maximum(phy2log, 0)]
    found[phy2log < 0] = empty
    return found


def drawn(gpus: int, capacity: int, number: int) -> list[Change]:
    """Any plans: experts doubled on a GPU, or nowhere, slots that stay, rings of slots, and slots that hold nothing."""
    rng = np.random.default_rng((gpus, capacity))
    shape = (number, LAYERS, gpus * capacity)
    experts = rng.integers(1, min(EXPERTS, gpus * capacity) + 1, number)[:, None, None]
    previous, plan = rng.integers(0, experts, shape), rng.integers(0, experts, shape)
    plan[::4] = rng.permuted(previous[::4], axis=-1)
    share = rng.choice([0.0, 0.3, 0.9, 1.0], (2, number, 1, 1))
    plan = np.where(rng.random(shape) < share[0], previous, plan)
    previous = np.where(rng.random(shape) < share[1] / 2, -1, previous)
    return [Change(*pair, gpus) for pair in zip(previous, plan, strict=True)]


def drifted(gpus: int, capacity: int) -> list[Change]:
    """Plans for loads that drift, few slots moving; then one GPU is replaced by another that holds nothing."""
    rng = np.random.default_rng(gpus)
    load, found = rng.lognormal(0, 1, (LAYERS, EXPERTS)), []
    sizes = (gpus * capacity, 1, 1, gpus)
    used = rebalance_experts(load, *sizes).phy2log
    for number in range(4):
        load = load * rng.lognormal(0, 0.3, load.shape)
        if number == 3:
            used[:, :capacity] = -1
        plan = rebalance_experts(load, *sizes, previous=used, max_moves=gpus).phy2log
        found.append(Change(used, plan, gpus))
        used = plan.copy()
    return found
