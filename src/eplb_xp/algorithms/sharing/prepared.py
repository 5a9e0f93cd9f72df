"""What shares need to know of a plan, whatever the loads."""

from eplb_xp.algorithms.maps import looked_up
from eplb_xp.algorithms.runs import Runs, by_item
from eplb_xp.algorithms.sharing.colours import first_colours
from eplb_xp.algorithms.sharing.holders import holders
from eplb_xp.algorithms.sharing.stretches import stretches
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array, Prepared


def prepare(lib: Standard, phy2log: Array, *, num_experts: int, num_gpus: int) -> Prepared[Array]:
    """The holders of each expert, when they meet, and where on a ring they are."""
    phy2log = looked_up(lib, phy2log, num_experts)
    runs = holders(lib, phy2log, num_experts, num_gpus)
    return Prepared(
        by_item(lib, runs, runs.owner),
        runs.order[:, : linked(phy2log.shape[-1], num_experts)],
        runs.first,
        runs.length,
        first_colours(lib, runs, num_gpus),
        *stretches(lib, runs, num_gpus),
    )


def linked(num_replicas: int, num_experts: int) -> int:
    """The most replicas that experts of several have: n of one are n - 1 spare ones, at least half as many."""
    return min(num_replicas, max(2 * (num_replicas - num_experts), 1))


def linked_runs(lib: Standard, prepared: Prepared[Array]) -> Runs:
    """The holders of each expert that has several, and some of the others."""
    return Runs(prepared.place, lib.take_along_axis(prepared.expert, prepared.place), prepared.first, prepared.holders)
