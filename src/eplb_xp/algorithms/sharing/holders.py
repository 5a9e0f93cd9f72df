"""Which slots take tokens: the first of each expert on each GPU.

Slots stand in a table whose columns are GPUs, place = rank in the GPU * GPUs + GPU, so that what belongs to a GPU goes
along the last axis, which is long where GPUs are many.
"""

from eplb_xp.algorithms.rows import inverse, mixed_order
from eplb_xp.algorithms.runs import Runs, by_item, of_owner, runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def holders(lib: Standard, phy2log: Array, experts: int, num_gpus: int) -> Runs:
    """The places of the holders of each expert, GPU by GPU, experts of most holders first.

    Behind them stand the other replicas of an expert on the same GPU, which are nobody's.
    """
    xp = lib.xp
    slots = phy2log.shape[-1]
    capacity = slots // num_gpus
    runs = runs_of(lib, phy2log, experts)
    gpu = runs.order // capacity
    again = (runs.owner[:, 1:] == runs.owner[:, :-1]) & (gpu[:, 1:] == gpu[:, :-1])
    again = by_item(lib, runs, xp.concat([gpu[:, :1] < 0, again], axis=-1))
    expert = xp.where(again, experts, phy2log)

    number = runs_of(lib, expert, experts + 1).length[:, :experts]
    turn = _turns(lib, number)
    by_turn = runs_of(lib, of_owner(lib, turn, expert, experts), experts + 1)
    owner = lib.take_along_axis(expert, by_turn.order)
    place = by_turn.order % capacity * num_gpus + by_turn.order // capacity
    return Runs(place, owner, lib.take_along_axis(by_turn.first, turn), number)


def _turns(lib: Standard, number: Array) -> Array:
    """Most holders first, equal ones in an order without pattern: on a ring, neighbours would wait for each other."""
    xp = lib.xp
    expert = lib.arange_like(number)
    order = mixed_order(lib, number)
    _, by_number = lib.sort_rows(xp.astype(lib.take_along_axis(number, order), xp.float32), expert, descending=True)
    return inverse(lib, lib.take_along_axis(order, by_number))
