"""A bound by points: heavy replicas need light ones beside them, and there may be too few.

Say no GPU has more than a load t. Take a size s, a number k, and a sum of at most t / 2 that k replicas
of s or more always reach. Beside a replica above t - sum there is room for fewer than k of s or more, so
at least slots - k on its GPU are below s. Let a replica above t - sum count slots - k + 2 points, one
below s 1 point, and any other 2. Then no GPU has more than 2 slots points, and no plan more than twice
its replicas. Each expert has replicas that are heavy, middling or light, and for each of the three a
least count. If even the cheapest of them for every expert comes to more points than a plan has, no plan
keeps to t, whatever its counts. docs/design.md has the proof, and the sums to take.
"""

from typing import NamedTuple

from eplb_xp.algorithms.rows import count, tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array

# Sizes that are tried for s: the loads of so many of the lightest experts.
MOST_SIZES = 8

# The bound is found to this share of itself: less than reports may differ by from library to library.
FINEST = 2.0**-21

# More than rounding can do to a quotient of loads, or to a sum.
MARGIN = 2.0**-20

# The least limit, and the least size as a share of the limit, because nothing can be divided by zero.
SMALLEST = 2.0**-40


class _Bracket(NamedTuple):
    """The largest load that is proven too little, and the smallest that is not: [rows, 1]."""

    low: Array
    high: Array


class _Light(NamedTuple):
    """The sizes to try, and what goes with each: [rows, sizes]."""

    size: Array
    number: Array  # k
    together: Array  # the sum of the k lightest experts of the size or more


def raised(lib: Standard, load: Array, sizes: Sizes, low: Array) -> Array:
    """A bound on the busiest GPU's load, raised as far as points prove: [rows].

    The bound must be at least the mean GPU load, and at least the largest replica that any counts
    leave. More than twice that is never needed: replicas dealt out in turn, heaviest first, leave no
    GPU more than the mean and the largest replica together.
    """
    xp = lib.xp
    if not 1 < sizes.num_gpus < sizes.num_replicas:
        return low
    light = _lightest(lib, load, sizes.num_replicas // sizes.num_gpus)
    # So that no sum overflows. In a loop that torch.export traces, a dimension is no number.
    most_points = float(2**30 // load.shape[-1])

    def is_open(bracket: _Bracket) -> Array:
        return xp.any(bracket.low * (1.0 + FINEST) < bracket.high)

    def narrow(bracket: _Bracket) -> _Bracket:
        low, high = bracket
        # The first step is the smallest; where it proves nothing, as for most loads, the bracket is closed.
        middle = xp.where(high < low * 2.0, (low + high) * 0.5, low * (1.0 + FINEST))
        proven = _is_too_little(lib, load, light, sizes, middle, most_points=most_points)
        return _Bracket(xp.where(proven, middle, low), xp.where(proven, high, middle))

    return lib.while_loop(is_open, narrow, _Bracket(low[:, None], low[:, None] * 2.0)).low[:, 0]


def _lightest(lib: Standard, load: Array, slots: int) -> _Light:
    xp = lib.xp
    experts = load.shape[-1]
    ordered, _ = lib.sort_rows(load, lib.arange_like(load))
    size = ordered[:, : min(MOST_SIZES, experts)] * (1.0 - 2.0 * MARGIN)
    # With i experts lighter than it, a size proves most where slots - k is just above i.
    number = xp.clip(slots - 1 - lib.arange_like(size), 1, None)
    others = ordered[:, None, : min(max(slots - 1, MOST_SIZES), experts)]
    below = count(lib, others < size[:, :, None])
    place = lib.arange_like(others)
    chosen = (place >= below) & (place < below + number[:, :, None])
    return _Light(size, xp.astype(number, xp.float32), tree_sum(lib, xp.where(chosen, others, 0.0)) * (1.0 - MARGIN))


def _is_too_little(
    lib: Standard, load: Array, light: _Light, sizes: Sizes, most: Array, *, most_points: float
) -> Array:
    """Whether points prove, for any of the sizes, that no plan keeps all GPUs at or below a load: [rows, 1]."""
    xp = lib.xp
    slots = sizes.num_replicas // sizes.num_gpus
    most = xp.clip(most, SMALLEST, None)
    fewest = _replicas(lib, load, most)
    spares = sizes.num_replicas - _total(lib, fewest)
    room = (fewest + xp.astype(spares, xp.float32))[:, None, :]
    load, fewest = load[:, None, :], fewest[:, None, :]

    size = xp.minimum(light.size, most * (0.5 - MARGIN) / light.number)
    size = xp.maximum(size, most * SMALLEST)
    beside = xp.maximum(size * light.number, xp.minimum(light.together, most * (0.25 - MARGIN)))

    points = fewest * (slots + 2.0 - light.number)[:, :, None]
    for least, each in (
        (_replicas(lib, load, (most - beside)[:, :, None]), 2.0),
        (xp.floor(load / size[:, :, None] * (1.0 - MARGIN)) + 1.0, 1.0),
    ):
        points = xp.minimum(points, xp.where(least <= room, least * each, points))
    points = xp.clip(points, None, most_points)
    return count(lib, _total(lib, points)[:, :, 0] > 2 * sizes.num_replicas) > 0


def _total(lib: Standard, whole: Array) -> Array:
    """The sum over the last axis, which stays, of floats that are integers."""
    return lib.xp.sum(lib.xp.astype(whole, lib.index_dtype), axis=-1, keepdims=True, dtype=lib.index_dtype)


def _replicas(lib: Standard, load: Array, most: Array) -> Array:
    """How many replicas an expert has at least so that each is at or below a load."""
    xp = lib.xp
    return xp.clip(xp.ceil(load / most * (1.0 - MARGIN)), 1.0, None)
