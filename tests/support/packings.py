"""Packings to improve: the experts of a pack are different, and item i is in slot i."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from eplb_xp.algorithms.packing.packed import Items, Packed, packed
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.numpy import LIBRARY
from tests.support.libraries import NumPyArray
from tests.support.loads import counts, weights


class Filled(NamedTuple):
    """Rows of items in packs of so many slots."""

    num_packs: int
    load: NumPyArray  # [rows, items]
    expert: NumPyArray  # [rows, items]

    @property
    def items(self) -> Items:
        return Items(self.load, self.expert)

    @property
    def packs(self) -> Packed:
        slot = np.broadcast_to(np.arange(self.load.shape[1]), self.load.shape)
        return packed(LIBRARY, slot, self.load, self.num_packs)

    def slots(self) -> list[list[int]]:
        """The items of each pack, as the references have them."""
        return np.arange(self.load.shape[1]).reshape(self.num_packs, -1).tolist()

    def doubled(self, item: NumPyArray) -> int:
        """Replicas that another one of their expert is beside, with these items in the slots."""
        held = np.sort(np.take_along_axis(self.expert, item, axis=1).reshape(len(item), self.num_packs, -1))
        return int((held[:, :, 1:] == held[:, :, :-1]).sum())


@st.composite
def filled(draw: st.DrawFn, shapes: list[tuple[int, int]], rows: int = 3, *, exact: bool = False) -> Filled:
    """Loads as plans have them, or such small integers that sums are exact; packs and their slots of one shape."""
    num_packs, capacity = draw(st.sampled_from(shapes))
    experts = draw(st.integers(capacity + 1, num_packs * capacity + 1))
    drawn = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    expert = np.array([[drawn.permutation(experts)[:capacity] for _ in range(num_packs)] for _ in range(rows)])
    expert = expert.reshape(rows, -1)
    of_expert = draw(counts((rows, experts))) if exact else scaled(LIBRARY, draw(weights((rows, experts)))).load
    return Filled(num_packs, np.take_along_axis(of_expert, expert, axis=1), expert)
