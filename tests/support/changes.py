"""From one placement to another: plans that have nothing in common, or nearly all, and slots that are empty."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from eplb_xp import Moves, moves
from tests.support.libraries import Library, NumPyArray
from tests.support.references.transfers import Nodes
from tests.support.shares import Shape, drawn_plans


class Change(NamedTuple):
    """The plan in use, and the one to follow."""

    previous: NumPyArray  # [layers, replicas]
    phy2log: NumPyArray  # [layers, replicas]
    gpus: int
    nodes: int

    @property
    def where(self) -> Nodes:
        return Nodes(self.phy2log.shape[1], self.gpus, self.nodes)

    def rows(self) -> Iterator[tuple[list[int], list[int]]]:
        """The two plans of each layer, as lists."""
        return zip(self.previous.tolist(), self.phy2log.tolist(), strict=True)


@st.composite
def changes(draw: st.DrawFn, shape: Shape, nodes: int = 1, layers: int = 3) -> Change:
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    previous, phy2log = drawn_plans(seed, layers, shape), drawn_plans(seed + 1, layers, shape)
    stays, empty = (rng.random((layers, shape[1])) < draw(st.sampled_from([0.0, 0.3, 0.9])) for _ in range(2))
    return Change(np.where(empty, -1, previous), np.where(stays, previous, phy2log), shape[2], nodes)


@st.composite
def changes_of_all_proportions(draw: st.DrawFn, most_gpus: int = 16) -> Change:
    gpus, slots = draw(st.integers(1, most_gpus)), draw(st.integers(1, 6))
    nodes = draw(st.sampled_from([n for n in range(1, gpus + 1) if gpus % n == 0]))
    experts = draw(st.integers(max(gpus * slots // 4, 1), gpus * slots))
    return draw(changes((experts, gpus * slots, gpus), nodes, layers=2))


def moved(library: Library, change: Change) -> Moves[NumPyArray]:
    """What the library says."""
    found = library.run(moves, change.previous, change.phy2log, num_gpus=change.gpus, num_nodes=change.nodes)
    assert isinstance(found, Moves)
    return found
