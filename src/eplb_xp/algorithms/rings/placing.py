"""A placement made for shares: the ring, a slot for every replica, and experts that change seats."""

from eplb_xp.algorithms.counts.spares import Spares
from eplb_xp.algorithms.improving.parting import part
from eplb_xp.algorithms.improving.table import slots, table
from eplb_xp.algorithms.packing.packed import Items, packed
from eplb_xp.algorithms.rings.layout import gpu_of_replica
from eplb_xp.algorithms.rings.levelling import levelled
from eplb_xp.algorithms.rings.seating import seated
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array


def placed_on_ring(lib: Standard, load: Array, spares: Spares, num_gpus: int, policy: Policy) -> Array:
    """The expert in each slot, given the spare replicas of each: [rows, replicas]."""
    xp = lib.xp
    expert = xp.concat([lib.arange_like(load), spares.expert], axis=-1)
    rank = xp.concat([xp.zeros_like(spares.count), spares.rank], axis=-1)
    share = lib.divide(load, xp.astype(spares.count, xp.float32))
    replica_load = lib.take_along_axis(share, expert)

    wanted = gpu_of_replica(lib, spares.count, expert, rank, num_gpus)
    wanted = xp.where(lib.take_along_axis(spares.count, expert) > 1, wanted, num_gpus)
    packs = packed(lib, seated(lib, replica_load, wanted, num_gpus), replica_load, num_gpus)
    # Only where the ring had no room for a replica is there anything to part.
    slot2replica = slots(lib, part(lib, table(lib, packs, Items(replica_load, expert))))
    slot2expert = lib.take_along_axis(expert, slot2replica)
    return levelled(lib, load, slot2expert, num_gpus, policy)
