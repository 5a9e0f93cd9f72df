"""Where a search begins: at the previous plan, as far as it can be kept, its empty slots filled."""

from typing import NamedTuple

from eplb_xp.algorithms.following.cleaning import kept
from eplb_xp.algorithms.following.filling import filled, with_missing
from eplb_xp.algorithms.following.prices import prices
from eplb_xp.algorithms.following.samples import loads_of_samples, over_samples
from eplb_xp.algorithms.following.system import Placing, Shape, System
from eplb_xp.algorithms.rows import transposed
from eplb_xp.algorithms.runs import runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array


class Beginning(NamedTuple):
    """A system, and the slots that it is in."""

    system: System
    slots: Array  # [layers, replicas] the expert in each, none of which is empty
    held: Array  # [layers, replicas] what can be kept of the previous plan; -1 for nothing
    before: Array  # [layers, replicas] what counts as having been there; -1 for nothing


def beginning(
    lib: Standard, previous: Array, budget: Array, weight: Array, *, sizes: Sizes, shape: Shape, divides: bool
) -> Beginning:
    """The previous plan [layers, replicas], under loads [layers, samples, experts]."""
    xp = lib.xp
    experts = weight.shape[-1]
    load = loads_of_samples(lib, weight, divides=divides)
    slots = kept(lib, previous, experts, sizes)
    total = over_samples(lib, load)
    complete = slots._replace(expert=with_missing(lib, total, slots, shape=shape))
    price = prices(lib, complete.expert, experts, shape)
    full = filled(lib, total, complete, price, budget, shape=shape)
    held, before = (xp.where(x < experts, x, -1) for x in (slots.expert, full.before))
    system = System(load, transposed(lib, before, sizes.num_gpus), slots.node, price, budget)
    return Beginning(system, full.expert, held, before)


def shape_of(sizes: Sizes, policy: Policy, experts: int, gpus_per_node: int = 1, far_cost: int = 1) -> Shape:
    """How a policy follows a previous plan; by default all moves count the same."""
    return Shape(
        sizes.num_gpus,
        sizes.num_nodes,
        sizes.max_replicas or sizes.num_replicas,
        is_free=False,
        changes_counts=sizes.num_replicas > experts and not policy.ring,
        keeps_links=policy.ring,
        near_gpus=gpus_per_node,
        far_cost=far_cost,
    )


def placing_of(lib: Standard, slots: Array, experts: int, num_gpus: int) -> Placing:
    """Slots [layers, replicas], in which no expert is missing, as a search has them."""
    xp = lib.xp
    runs = runs_of(lib, slots, experts)
    is_spare = lib.arange_like(slots) > lib.take_along_axis(runs.first, runs.owner)
    last = xp.astype(xp.where(is_spare, runs.owner, experts), xp.float32)
    spare, _ = lib.sort_rows(last, lib.arange_like(slots))
    spare = xp.astype(spare[:, : slots.shape[-1] - experts], lib.index_dtype)
    return Placing(transposed(lib, slots, num_gpus), runs.length, spare)
