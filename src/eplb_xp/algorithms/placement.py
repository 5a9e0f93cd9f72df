"""Replicas for experts that all are within reach of all slots, and a slot for each."""

from typing import NamedTuple

from eplb_xp.algorithms.assignment import assign
from eplb_xp.algorithms.counts.replication import hand_out, replicate
from eplb_xp.algorithms.counts.spares import Range
from eplb_xp.algorithms.joint import placed_jointly
from eplb_xp.algorithms.maps import rank_by_slot
from eplb_xp.algorithms.rings.placing import placed_on_ring
from eplb_xp.algorithms.trying.shape import shape_of
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array

# What an expert without load counts as where replicas are handed out: less than any load with its replicas.
IDLE_LOAD = 2.0**-80


class Placement(NamedTuple):
    """The replica in each slot: of the layers, or of nodes that see only their own experts."""

    phy2log: Array  # [layers, replicas] its expert
    rank: Array  # [layers, replicas] which replica of the expert it is
    logcnt: Array  # [layers, experts] replicas of each expert


def place_in_node(lib: Standard, load: Array, sizes: Sizes, policy: Policy) -> Placement:
    """All experts within reach of all slots."""
    return (_place_as_eplb if policy.may_double else _place_apart)(lib, load, sizes, policy)


def _place_as_eplb(lib: Standard, load: Array, sizes: Sizes, policy: Policy) -> Placement:
    """As many replicas as the load asks for, wherever they fit; ranks in the order handed out."""
    xp = lib.xp
    expert, rank, count = replicate(lib, load, sizes.num_replicas)
    share = lib.divide(load, xp.astype(count, xp.float32))
    replica_load = xp.concat([share, lib.take_along_axis(share, expert[:, load.shape[-1] :])], axis=-1)
    slot2phy = assign(lib, replica_load, sizes.num_gpus, policy, thorough=True)
    return Placement(lib.take_along_axis(expert, slot2phy), lib.take_along_axis(rank, slot2phy), count)


def _place_apart(lib: Standard, load: Array, sizes: Sizes, policy: Policy) -> Placement:
    """At most as many replicas of an expert as GPUs, no two on one GPU; ranks in the order of slots.

    With room for every expert on every GPU, each gets all of them, and only the slots left over are
    planned: whatever goes there is doubled.
    """
    xp = lib.xp
    rows, experts = load.shape
    slots, gpus = sizes.num_replicas, sizes.num_gpus
    everywhere = slots >= experts * gpus
    fewest = gpus if everywhere else 1
    most = sizes.max_replicas or slots
    within = Range(fewest, most if everywhere else min(most, gpus))
    positive = xp.where(load > 0.0, load, IDLE_LOAD)
    spares = hand_out(lib, positive, slots - experts * fewest, within)
    spare, count = spares.expert, spares.count
    share = lib.divide(load, xp.astype(count, xp.float32))

    if policy.ring and not everywhere and 1 < gpus < slots:
        slot2expert = placed_on_ring(lib, load, spares, gpus, policy)
        return Placement(slot2expert, rank_by_slot(lib, slot2expert, count), count)

    shape = shape_of(policy, num_packs=gpus, capacity=slots // gpus, num_spares=slots - experts, most=within.most)
    if not everywhere and 1 < gpus < slots and shape.num_levels > 0:
        slot2expert, count = placed_jointly(lib, load, spares, shape=shape, policy=policy)
        return Placement(slot2expert, rank_by_slot(lib, slot2expert, count), count)

    expert, replica_load = spare, lib.take_along_axis(share, spare)
    if not everywhere:
        expert = xp.concat([lib.arange_like(load), expert], axis=-1)
        replica_load = xp.concat([share, replica_load], axis=-1)
    slot2phy = assign(lib, replica_load, gpus, policy, thorough=True, expert=None if everywhere else expert)
    slot2expert = lib.take_along_axis(expert, slot2phy)
    if everywhere:
        each = xp.broadcast_to(lib.arange(experts, load), (rows, gpus, experts))
        more = xp.reshape(slot2expert, (rows, gpus, slots // gpus - experts))
        # Behind what differs between GPUs: added to two sums, the same loads can't turn their order round.
        slot2expert = xp.reshape(xp.concat([more, each], axis=-1), (rows, slots))
    return Placement(slot2expert, rank_by_slot(lib, slot2expert, count), count)
