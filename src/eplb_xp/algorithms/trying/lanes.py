"""Lanes: what is packed and improved side by side, so many of each row or one."""

from typing import NamedTuple

from eplb_xp.algorithms.counts.candidates import Candidates
from eplb_xp.algorithms.improving.finishing import finished
from eplb_xp.algorithms.improving.parting import part
from eplb_xp.algorithms.improving.refinement import refine
from eplb_xp.algorithms.improving.table import lower, slots, table
from eplb_xp.algorithms.packing.heaviest_first import pack
from eplb_xp.algorithms.packing.packed import Items, Packed, packed
from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.algorithms.trying.shape import Shape
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


class Lanes(NamedTuple):
    """Replicas, and their packing."""

    items: Items
    packs: Packed

    def busiest(self, lib: Standard) -> Array:
        """The load of the busiest pack: [lanes, 1]."""
        return lib.xp.max(self.packs.pack_load, axis=-1, keepdims=True)

    def expert(self, lib: Standard) -> Array:
        """The expert in each slot: [lanes, slots]."""
        return lib.take_along_axis(self.items.expert, self.packs.item)


def packed_candidates(lib: Standard, load: Array, found: Candidates, is_new: Array, shape: Shape) -> Lanes:
    """Candidates, packed, given the loads of their rows [lanes, experts].

    Those that are not new [lanes, 1] have no loads, and their replicas count as experts: so no loop runs for them.
    """
    xp = lib.xp
    share = lib.divide(load, xp.astype(found.count, xp.float32))
    load = xp.concat([share, lib.take_along_axis(share, found.spare)], axis=-1)
    expert = xp.concat([lib.arange_like(share), found.spare], axis=-1)
    items = Items(load, xp.where(is_new, expert, lib.arange_like(expert)))
    return Lanes(items, packed(lib, pack(lib, load, shape.num_packs, key=load), load, shape.num_packs))


def improved(lib: Standard, lanes: Lanes, steps: Array, policy: Policy) -> Lanes:
    """As a policy's swaps do it, no pack having two of an expert; then so many further steps [lanes, 1]."""
    items, packs = lanes
    now, total = part(lib, table(lib, packs, items)), tree_sum(lib, items.load)[:, None]
    if policy.rounds > 0:
        now = lower(lib, now, refine(lib, now, total, policy, lib.xp.full_like(steps, policy.rounds)))
    if policy.finish + policy.shakes > 0:
        now = finished(lib, now, total, policy, steps)
    return Lanes(items, Packed(slots(lib, now), now.pack_load))
