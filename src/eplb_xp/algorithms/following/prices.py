"""What it costs to put an expert on a GPU that did not hold it: a move, or as many as one from another node counts."""

from eplb_xp.algorithms.following.system import Shape, by_gpu
from eplb_xp.algorithms.moving.counting import moved
from eplb_xp.algorithms.rows import transposed
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def prices(lib: Standard, before: Array, experts: int, shape: Shape) -> Array:
    """The price of each expert in each node that GPUs are in, given what slots held: [rows, nodes * experts] float32.

    Where all moves count the same there is nothing to know: [rows, 1].
    """
    xp = lib.xp
    if shape.far_cost == 1:
        return xp.ones_like(before[:, :1], dtype=xp.float32)
    rows, slots = before.shape
    nodes = shape.num_gpus // shape.near_gpus
    node = lib.arange_like(before) // (slots // nodes)
    is_expert = (before >= 0) & (before < experts)
    # One entry more for what is no expert.
    at = xp.where(is_expert, node * experts + before, nodes * experts)
    far = xp.broadcast_to(
        xp.full_like(before[:, :1], float(shape.far_cost), dtype=xp.float32), (rows, nodes * experts + 1)
    )
    return lib.put_along_axis(far, at, xp.ones_like(before, dtype=xp.float32))[:, : nodes * experts]


def price_on(lib: Standard, price: Array, expert: Array, gpu: Array, *, shape: Shape) -> Array | float:
    """The price of experts on GPUs, of three axes that broadcast, rows first."""
    if shape.far_cost == 1:
        return 1.0
    experts = price.shape[-1] // (shape.num_gpus // shape.near_gpus)
    at = gpu // shape.near_gpus * experts + expert
    flat = lib.xp.reshape(at, (at.shape[0], at.shape[1] * at.shape[2]))
    return lib.xp.reshape(lib.take_along_axis(price, flat), at.shape)


def spent_on(lib: Standard, phy2log: Array, held: Array, price: Array, *, shape: Shape) -> Array:
    """The price of all slots of a plan [rows, replicas] that hold an expert that was not on their GPU: [rows, 1].

    In what was held, -1 is nothing.
    """
    gpus = shape.num_gpus
    expert = by_gpu(lib, transposed(lib, phy2log, gpus), gpus)
    each = price_on(lib, price, expert, lib.arange(gpus, expert)[None, None, :], shape=shape)
    return total_price(lib, moved(lib, phy2log, held, gpus), each)


def total_price(lib: Standard, moved: Array, price: Array | float) -> Array:
    """The price of the places [rows, capacity, gpus] that moved: [rows, 1] integers."""
    xp = lib.xp
    each = xp.astype(xp.astype(moved, xp.float32) * price, lib.index_dtype)
    return xp.sum(each, axis=(1, 2), dtype=lib.index_dtype)[:, None]
