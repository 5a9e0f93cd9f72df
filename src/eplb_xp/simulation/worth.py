"""Whether a change of plans pays: for a scheduler, with the same verdict on all ranks."""

import math
from typing import Any, NamedTuple

from eplb_xp.backends import library_of
from eplb_xp.evaluation import evaluate
from eplb_xp.maps import logical_maps
from eplb_xp.simulation.arrays import Numbers, as_trace
from eplb_xp.simulation.cost import Cost, check_cost
from eplb_xp.simulation.slots import placed, slot_tokens
from eplb_xp.simulation.transfers import transfer
from eplb_xp.sizes import check_divisor, check_integer
from eplb_xp.types import Plan


class Worth(NamedTuple):
    """What a change of plans brings.

    Attributes
    ----------
    pays : bool
        Whether it saves more than it costs.
    seconds_saved : float
        Of all steps, less than with the plan in use.
    seconds_spent : float
        On moves.
    break_even : float or None
        Steps until it has saved what it costs; None where it saves nothing.
    moved : int
        Slots that receive an expert from another GPU.
    """

    pays: bool
    seconds_saved: float
    seconds_spent: float
    break_even: float | None
    moved: int


def worth(
    previous: Any,
    plan: Any,
    weight: Any,
    cost: Cost,
    steps: int,
    *,
    num_gpus: int,
    gpus_per_node: int | None = None,
    best_shares: bool = False,
) -> Worth:
    """Say whether a plan is worth its moves, if the steps to come are like those given.

    Arrays are read in host memory. Seconds are added up in the same order, or exactly, everywhere, so that ranks that
    are given the same loads and plans come to the same verdict, on any machine; counts that differ between ranks must
    be summed over them first.

    Parameters
    ----------
    previous, plan : Plan or array
        The plan in use and the one to follow, or their ``phy2log`` [layers, replicas].
    weight : [layers, experts] or [steps, layers, experts], integers or floats
        Tokens of one step, or of several, of which the mean counts.
    cost : Cost
        What tokens, weights and moves take.
    steps : int
        Steps until plans are made the next time.
    num_gpus : int
        GPUs, with equally many slots each.
    gpus_per_node : int, optional
        GPUs near each other; by default all.
    best_shares : bool
        Whether tokens are divided by shares made for each step, and not equally.

    Returns
    -------
    Worth
        The verdict, and what it is made of.

    Raises
    ------
    TypeError, ValueError
        Where something can't be used.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import rebalance_experts
    >>> used = rebalance_experts(np.array([[9, 8, 7, 1]]), 4, 1, 1, 2)
    >>> load = np.array([[9000, 1000, 7000, 8000]])  # of a step
    >>> next_one = rebalance_experts(load, 4, 1, 1, 2, previous=used)
    >>> found = worth(used, next_one, load, Cost(1e-7, 35e-6, seconds_per_move=6e-4), 100, num_gpus=2)
    >>> found.pays, found.moved
    (True, 2)
    """
    old, new = (_slots(name, x) for name, x in (("previous", previous), ("plan", plan)))
    many = as_trace(weight if len(weight.shape) == 3 else weight[None])
    gpus, number = check_integer("num_gpus", num_gpus), check_integer("steps", steps)
    near = gpus if gpus_per_node is None else check_integer("gpus_per_node", gpus_per_node)
    check_divisor("gpus_per_node", near, "num_gpus", gpus)
    check_cost(cost)
    for slots in (old, new):
        evaluate(Plan(slots, slots, slots), many[0], gpus)  # refuses what is no plan of these loads
    before, after = (_seconds(slots, many, gpus, cost, best_shares=best_shares) for slots in (old, new))
    a_step = (before - after) / len(many)
    moved = transfer(old, new, gpus, near, cost)
    saved = number * a_step
    return Worth(
        saved > moved.seconds,
        saved,
        moved.seconds,
        moved.seconds / a_step if a_step > 0 else None,
        moved.near + moved.far,
    )


def _slots(name: str, plan: Any) -> Numbers:
    slots = plan[0] if isinstance(plan, tuple) else plan
    values: Numbers = library_of(name, slots).to_numpy(slots)
    return values


def _seconds(phy2log: Numbers, many: Numbers, num_gpus: int, cost: Cost, *, best_shares: bool) -> float:
    """Of all steps, added up exactly."""
    _, counts = logical_maps(phy2log, many.shape[2])
    where = placed(phy2log, counts, num_gpus, best_shares=best_shares)
    return math.fsum(
        seconds for load in many for seconds in cost.of_layers(slot_tokens(where, load, num_gpus), num_gpus).tolist()
    )
