"""What a step looks at: the GPU with most above the target, and all places."""

from typing import NamedTuple

from eplb_xp.algorithms.following.prices import price_on, total_price
from eplb_xp.algorithms.following.samples import over_samples
from eplb_xp.algorithms.following.system import Loads, Placing, Shape, System, by_gpu, of_experts
from eplb_xp.algorithms.improving.sides import holds
from eplb_xp.algorithms.moving.copies import earlier
from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Ours(NamedTuple):
    """The busiest GPU of each row and its experts, by rank."""

    gpu: Array  # [rows, 1] the one with most above the target of those not tried, the first of equal ones
    over: Array  # [rows, 1] how much that is; 0 where all were tried
    excess: Array  # [rows, samples, 1] of it
    place: Array  # [rows, capacity]
    expert: Array  # [rows, capacity]
    share: Array  # [rows, samples, capacity]; less and more as in Loads
    less: Array
    more: Array
    there: Array  # [rows, capacity, gpus] whether a GPU holds the expert
    was_there: Array
    beyond: Array  # [rows, capacity] whether the GPU holds it more often than before
    doubled: Array  # [rows, capacity] whether it holds it more than once
    price: Array | float  # [rows, capacity, gpus] of the expert on each GPU


class View(NamedTuple):
    """A placing as a step sees it."""

    loads: Loads
    excess: Array  # [rows, samples, gpus] what each has above the target; less than nothing where it has room
    over: Array  # [rows, gpus] the same over samples, counting no room
    expert: Array  # [rows, capacity, gpus]
    beyond: Array  # [rows, capacity, gpus] whether the GPU holds the expert more often than before
    doubled: Array  # [rows, capacity, gpus] whether it holds it more than once
    price: Array | float  # [rows, capacity, gpus] of each place's expert on its own GPU
    price_here: Array | float  # [rows, capacity, gpus] on the busiest GPU
    spent: Array  # [rows, 1] integers: the price of all slots that hold an expert that was not on their GPU
    ours: Ours


def above(lib: Standard, excess: Array) -> Array:
    """What is above the target."""
    return lib.xp.clip(excess, 0.0, None)


def all_over(lib: Standard, now: View) -> Array:
    """What all GPUs have above the target: [rows, 1]."""
    return tree_sum(lib, now.over)[:, None]


def view(
    lib: Standard, system: System, placing: Placing, loads: Loads, target: Array, *, tried: Array, shape: Shape
) -> View:
    """What there is to see of a placing; GPUs that were tried are none of ours."""
    xp = lib.xp
    num_gpus = shape.num_gpus
    expert, before = (by_gpu(lib, x, num_gpus) for x in (placing.expert, system.before))
    excess = loads.of_gpu - target
    over = over_samples(lib, above(lib, excess))
    untried = xp.where(tried, 0.0, over)
    gpu = lib.argmin(-untried)
    capacity = expert.shape[1]
    place = gpu + lib.arange(capacity, gpu)[None, :] * num_gpus
    now, was = _times(lib, expert, expert), _times(lib, expert, before)
    beyond, doubled = now > was, now > 1

    def of_gpu(x: Array) -> Array:
        return lib.take_along_axis(xp.reshape(x, (x.shape[0], capacity * num_gpus)), place)

    held = of_gpu(expert)

    def price(expert: Array, gpu: Array) -> Array | float:
        """Of experts on GPUs, [rows, capacity, gpus] both once they are broadcast."""
        return price_on(lib, system.price, expert, gpu, shape=shape)

    every_gpu = lib.arange(num_gpus, gpu)[None, None, :]
    ours = Ours(
        gpu,
        lib.take_along_axis(untried, gpu),
        of_experts(lib, excess, gpu),
        place,
        held,
        of_experts(lib, loads.share, held),
        of_experts(lib, loads.less, held),
        of_experts(lib, loads.more, held),
        holds(lib, held[:, :, None], expert),
        holds(lib, held[:, :, None], before),
        of_gpu(beyond),
        of_gpu(doubled),
        price(held[:, :, None], every_gpu),
    )
    its_price = price(expert, every_gpu)
    spent = total_price(lib, earlier(lib, expert) >= was, its_price)
    here = price(expert, gpu[:, :, None])
    return View(loads, excess, over, expert, beyond, doubled, its_price, here, spent, ours)


def _times(lib: Standard, expert: Array, held: Array) -> Array:
    """How often a GPU holds the expert of each place: [rows, capacity, gpus], of all places what they hold."""
    xp = lib.xp

    def one_more(rank: int, total: Array) -> Array:
        return total + xp.astype(expert == held[:, rank, :][:, None, :], lib.index_dtype)

    return lib.fori_loop(0, held.shape[1], one_more, xp.zeros_like(expert))
