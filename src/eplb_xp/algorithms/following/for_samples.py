"""A plan for several samples of loads."""

from eplb_xp.algorithms.following.beginning import placing_of, shape_of
from eplb_xp.algorithms.following.samples import loads_of_samples, over_samples
from eplb_xp.algorithms.following.system import System
from eplb_xp.algorithms.following.turns import FREELY, Aims, searched
from eplb_xp.algorithms.maps import plan_of
from eplb_xp.algorithms.pipeline import place
from eplb_xp.algorithms.rows import transposed
from eplb_xp.algorithms.runs import runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Plan


def plan_for_samples(lib: Standard, weight: Array, *, sizes: Sizes, policy: Policy, divides: bool) -> Plan[Array]:
    """A plan for the mean of samples, then steps that lower what their busiest GPUs have in all.

    Policies without swaps, and rings, stay with the plan for the mean. Those that try no other counts only swap.
    """
    experts, gpus = weight.shape[-1], sizes.num_gpus
    load = loads_of_samples(lib, weight, divides=divides)
    slots = place(lib, over_samples(lib, load), sizes=sizes, policy=policy).phy2log
    if policy.rounds > 0 and not policy.ring:
        runs = runs_of(lib, slots, experts)
        node = lib.take_along_axis(runs.order, runs.first) // (sizes.num_replicas // sizes.num_nodes)
        places = transposed(lib, slots, gpus)
        system = System(load, places, node, lib.xp.ones_like(load[:, 0, :1]), lib.xp.zeros_like(node[:, :1]))
        shape = shape_of(sizes, policy, experts)
        shape = shape._replace(is_free=True, changes_counts=shape.changes_counts and policy.levels > 0)
        best = searched(lib, system, placing_of(lib, slots, experts, gpus), shape, Aims(FREELY))
        slots = transposed(lib, best.expert[:, 0, :], sizes.num_replicas // gpus)
    return plan_of(lib, slots, experts, sizes)
