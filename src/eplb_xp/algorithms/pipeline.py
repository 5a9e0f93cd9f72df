"""The whole plan, step by step.

loads -> groups to nodes -> replica counts -> replicas to GPUs (packing, swaps, best start) -> maps

A global plan is a hierarchical one with one group on one node. The policies are settings of this one
pipeline.
"""

from eplb_xp.algorithms.assignment import assign
from eplb_xp.algorithms.counts.replication import Replicas, replicate
from eplb_xp.algorithms.maps import expert_to_slots
from eplb_xp.algorithms.nodes import place_on_nodes
from eplb_xp.algorithms.placement import Placement, place_in_node
from eplb_xp.algorithms.rows import inverse
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan


def plan(lib: Standard, weight: Array, *, sizes: Sizes, policy: Policy) -> Plan[Array]:
    """A plan with its three maps."""
    phy2log, rank, logcnt = place(lib, weight, sizes=sizes, policy=policy)
    width = sizes.max_replicas or sizes.num_replicas - weight.shape[-1] + 1
    return Plan(phy2log, expert_to_slots(lib, phy2log, rank, logcnt, width), logcnt)


def place(lib: Standard, weight: Array, *, sizes: Sizes, policy: Policy) -> Placement:
    """Replicas for the experts, and a slot for each."""
    load = scaled(lib, weight).load
    if sizes.num_groups == 1:
        return place_in_node(lib, load, sizes, policy)
    return place_on_nodes(lib, load, sizes, policy)


def pack_items(lib: Standard, weight: Array, *, num_packs: int, policy: Policy) -> tuple[Array, Array]:
    """The packing alone: the pack of each item, and its rank there."""
    slot = inverse(lib, assign(lib, scaled(lib, weight).load, num_packs, policy, thorough=True))
    capacity = weight.shape[-1] // num_packs
    return slot // capacity, slot % capacity


def replicate_loads(lib: Standard, weight: Array, *, num_replicas: int) -> Replicas:
    """The replication alone."""
    return replicate(lib, scaled(lib, weight).load, num_replicas)
