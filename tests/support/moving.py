"""Plans and those before them."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from eplb_xp import rebalance_experts
from tests.support.libraries import NumPyArray


class Change(NamedTuple):
    """A plan, the one before it, of which a slot may hold nothing, and on how many GPUs."""

    phy2log: NumPyArray  # [layers, slots]
    previous: NumPyArray  # [layers, slots]
    gpus: int


@st.composite
def changes(draw: st.DrawFn, shapes: list[tuple[int, int]], layers: int = 3) -> Change:
    """Any plans, with few experts, so that many are doubled; GPUs and their slots of one shape."""
    gpus, capacity = draw(st.sampled_from(shapes))
    experts = draw(st.integers(0, gpus * capacity))
    slots = st.lists(st.integers(0, experts), min_size=gpus * capacity, max_size=gpus * capacity)
    held = st.lists(st.integers(-1, experts), min_size=gpus * capacity, max_size=gpus * capacity)
    rows = st.tuples(slots, st.one_of(held, held, slots))
    drawn = np.array([draw(rows) for _ in range(layers)])
    return Change(drawn[:, 0], drawn[:, 1], gpus)


def drifted(sizes: tuple[int, int, int, int], layers: int, experts: int) -> Change:
    """Plans for loads, and for the same a tenth more or less."""
    rng = np.random.default_rng(sizes)
    load = rng.lognormal(0, 0.6, (layers, experts))
    later = load * rng.lognormal(0, 0.1, load.shape)
    before, now = (rebalance_experts(x, *sizes, policy="swap") for x in (load, later))
    return Change(now.phy2log, before.phy2log, sizes[3])


def shuffled(previous: NumPyArray, nodes: int, gpus: int, seed: int) -> NumPyArray:
    """The same plan with nodes, GPUs of each and slots of each in another order, drawn for each layer."""
    rng = np.random.default_rng(seed)
    found = []
    for layer in previous:
        by_node = layer.reshape(nodes, gpus // nodes, -1)[rng.permutation(nodes)]
        by_gpu = np.concatenate([rng.permutation(node) for node in by_node])
        found.append(np.concatenate([rng.permutation(gpu) for gpu in by_gpu]))
    return np.array(found)
