"""Empty slots are filled: first with experts that are nowhere, then with replicas that the budget allows.

What is left gets a copy of an expert of its GPU, which moves nothing.
"""

from typing import NamedTuple

from eplb_xp.algorithms.following.cleaning import Kept
from eplb_xp.algorithms.following.prices import price_on
from eplb_xp.algorithms.following.system import Shape
from eplb_xp.algorithms.improving.sides import holds
from eplb_xp.algorithms.rows import count, slot_sum
from eplb_xp.algorithms.runs import runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Filled(NamedTuple):
    """Slots that all hold an expert."""

    expert: Array  # [rows, replicas]
    before: Array  # [rows, replicas] what counts as having been there: nobody where a replica was added
    spent: Array  # [rows, 1] float32: the price of what was added


class _Allowed(NamedTuple):
    """What a slot may be filled with."""

    node: Array  # [rows, experts] where the replicas of each expert go
    price: Array  # as `prices` has them
    budget: Array  # [rows, 1] float32


def with_missing(lib: Standard, load: Array, slots: Kept, *, shape: Shape) -> Array:
    """The slots [rows, replicas], given loads [rows, experts], with the experts that were nowhere."""
    xp = lib.xp
    experts = load.shape[-1]

    def misses(expert: Array) -> Array:
        return _counts(lib, expert, experts) == 0

    def some_are_missing(expert: Array) -> Array:
        return xp.any(misses(expert))

    def place_missing(expert: Array) -> Array:
        missing = misses(expert)
        which = lib.argmin(xp.where(missing, -load, 1.0))
        slot = _slot_for_missing(lib, load, expert, slots.node, which, shape=shape)
        here = (lib.arange_like(expert) == slot) & xp.any(missing, axis=-1, keepdims=True)
        return xp.where(here, which, expert)

    return lib.while_loop(some_are_missing, place_missing, slots.expert)


def filled(lib: Standard, load: Array, slots: Kept, price: Array, budget: Array, *, shape: Shape) -> Filled:
    """All slots filled, given loads [rows, experts]; no expert is missing."""
    experts = load.shape[-1]

    def some_are_empty(now: Filled) -> Array:
        return lib.xp.any(now.expert == experts)

    def fill_one(now: Filled) -> Filled:
        return _fill_one(lib, load, now, allowed, shape=shape)

    allowed = _Allowed(slots.node, price, lib.xp.astype(budget, lib.xp.float32))
    none = lib.xp.zeros_like(price[:, :1])
    return lib.while_loop(some_are_empty, fill_one, Filled(slots.expert, slots.expert, none))


def _counts(lib: Standard, expert: Array, experts: int) -> Array:
    """Replicas of each expert, nobody left out: [rows, experts]."""
    return runs_of(lib, expert, experts + 1).length[:, :experts]


def _loads(lib: Standard, load: Array, expert: Array, shape: Shape) -> tuple[Array, Array, Array]:
    """Replicas and share of each expert, and the load of each GPU."""
    xp = lib.xp
    rows, slots = expert.shape
    number = _counts(lib, expert, load.shape[-1])
    share = lib.divide(load, xp.astype(xp.clip(number, 1, None), xp.float32))
    slot_load = lib.take_along_axis(xp.concat([share, xp.zeros_like(share[:, :1])], axis=-1), expert)
    gpu_load = slot_sum(lib, xp.reshape(slot_load, (rows, shape.num_gpus, slots // shape.num_gpus)))
    return number, share, gpu_load


def _slot_for_missing(lib: Standard, load: Array, expert: Array, node: Array, which: Array, *, shape: Shape) -> Array:
    """An empty slot of the lightest GPU that has one, else the slot of the lightest replica whose expert has others."""
    xp = lib.xp
    experts, slots = load.shape[-1], expert.shape[-1]
    number, share, gpu_load = _loads(lib, load, expert, shape)
    gpu = lib.arange_like(expert) // (slots // shape.num_gpus)
    near = gpu // shape.gpus_of_node == lib.take_along_axis(node, which)
    empty = near & (expert == experts)
    of_gpu = xp.where(empty, lib.take_along_axis(gpu_load, gpu), float("inf"))
    held = xp.where(expert == experts, 0, expert)
    spare = near & (expert < experts) & (lib.take_along_axis(number, held) > 1)
    of_replica = xp.where(spare, lib.take_along_axis(share, held), float("inf"))
    return lib.argmin(xp.where(count(lib, empty) > 0, of_gpu, of_replica))


def _fill_one(lib: Standard, load: Array, now: Filled, allowed: _Allowed, *, shape: Shape) -> Filled:
    """The first empty slot of the lightest GPU that has one, in the rows where there is any.

    While the budget allows, it gets the heaviest replica that is not on the GPU; else the lightest that is. Where
    nobody is, it gets the heaviest all the same, because a slot must hold something.
    """
    xp = lib.xp
    experts, slots = load.shape[-1], now.expert.shape[-1]
    capacity = slots // shape.num_gpus
    number, share, gpu_load = _loads(lib, load, now.expert, shape)
    gpu = lib.arange_like(now.expert) // capacity
    empty = now.expert == experts
    slot = lib.argmin(xp.where(empty, lib.take_along_axis(gpu_load, gpu), float("inf")))
    its_gpu = slot // capacity

    held = lib.take_along_axis(now.expert, its_gpu * capacity + lib.arange(capacity, slot)[None, :])
    there = holds(lib, lib.arange_like(load)[:, :, None], held[:, :, None])[:, :, 0]
    may = (number < shape.most) & (allowed.node == its_gpu // shape.gpus_of_node)
    heaviest = lib.argmin(xp.where(may & ~there, -share, float("inf")))
    lightest = lib.argmin(xp.where(may & there, share, float("inf")))
    its_price = price_on(lib, allowed.price, heaviest[:, :, None], its_gpu[:, :, None], shape=shape)
    spent = now.spent + xp.reshape(its_price * xp.ones_like(now.spent)[:, :, None], now.spent.shape)
    adds = (count(lib, may & ~there) > 0) & ((spent <= allowed.budget) | (count(lib, may & there) == 0))
    comes = xp.where(adds, heaviest, lightest)
    here = (lib.arange_like(now.expert) == slot) & empty
    return Filled(
        xp.where(here, comes, now.expert),
        xp.where(here & ~adds, comes, now.before),
        xp.where(adds & xp.any(here, axis=-1, keepdims=True), spent, now.spent),
    )
