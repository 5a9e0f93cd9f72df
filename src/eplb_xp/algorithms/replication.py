"""How many replicas each expert gets, and in which order they are handed out.

EPLB hands out spare replicas one by one, each to the expert with the largest load per replica so
far. That is D'Hondt's rule of apportionment: the spares are the K largest of all quotients
load / j, j = 1, 2, ... So no loop over replicas is needed: find the K-th largest quotient by
bisection, count for each expert the quotients down to it, and sort only the K winners.
"""

from typing import NamedTuple

from eplb_xp.algorithms.rows import count_at_most, heaviest_first
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Replicas(NamedTuple):
    """Experts first, each in its own place, then the spares in the order handed out."""

    expert: Array  # [rows, replicas]
    rank: Array  # [rows, replicas], 0 for the first replica of an expert
    count: Array  # [rows, experts]


class _Bracket(NamedTuple):
    """Two quotients with the wanted one between them, or equal to either: [rows, 1]."""

    low: Array
    high: Array


class _Quotients(NamedTuple):
    """The quotients load / j of each expert on both sides of a threshold: [rows, experts]."""

    count: Array  # how many are at or above it; float32, integer-valued
    last: Array  # the smallest at or above it (meaningless where the count is 0)
    after: Array  # the largest below it


def replicate(lib: Standard, load: Array, num_replicas: int) -> Replicas:
    """Give every expert one replica, and the spares by D'Hondt's rule; ties go to the first expert.

    A row without load gives all its spares to its first expert, as EPLB does.
    """
    xp = lib.xp
    count = replica_counts(lib, load, num_replicas)
    expert = lib.arange_like(load)
    rank = xp.zeros_like(expert)
    owner, turn = _in_order(lib, load, count - 1, num_replicas - load.shape[-1])
    return Replicas(xp.concat([expert, owner], axis=-1), xp.concat([rank, turn], axis=-1), count)


def replica_counts(lib: Standard, load: Array, num_replicas: int) -> Array:
    """How many replicas each expert gets: [rows, experts]. No other counts make the largest replica smaller."""
    xp = lib.xp
    expert = lib.arange_like(load)
    num_spares = num_replicas - load.shape[-1]
    if num_spares == 0:
        return xp.ones_like(expert)
    idle = xp.max(load, axis=-1, keepdims=True) == 0.0
    load = xp.where(idle & (expert == 0), 1.0, load)
    threshold = _kth_quotient(lib, load, num_spares)
    quotients = _quotients(lib, load, threshold)
    count = xp.astype(quotients.count, lib.index_dtype)
    tied = xp.astype((quotients.last == threshold) & (count > 0), lib.index_dtype)
    sure = count - tied
    left = num_spares - xp.sum(sure, axis=-1, keepdims=True, dtype=lib.index_dtype)
    turn = xp.cumulative_sum(tied, axis=-1, dtype=lib.index_dtype)
    return 1 + xp.where(turn <= left, count, sure)


def _kth_quotient(lib: Standard, load: Array, k: int) -> Array:
    """The k-th largest quotient of each row: [rows, 1].

    Both ends of the bracket are quotients at every step, so it closes as soon as one distinct
    quotient is left, whether it occurs once or, in a tie, often.
    """
    xp = lib.xp
    top = xp.max(load, axis=-1, keepdims=True)

    def is_open(bracket: _Bracket) -> Array:
        return xp.any(bracket.low < bracket.high)

    def halve(bracket: _Bracket) -> _Bracket:
        low, high = bracket
        middle = low + (high - low) * 0.5
        middle = xp.where(middle > low, middle, high)
        count, last, after = _quotients(lib, load, middle)
        enough = xp.sum(count, axis=-1, keepdims=True) >= k
        reached = xp.min(xp.where(count > 0.0, last, float("inf")), axis=-1, keepdims=True)
        missed = xp.max(after, axis=-1, keepdims=True)
        return _Bracket(xp.where(enough, reached, low), xp.where(enough, high, missed))

    bracket = _Bracket(lib.divide(top, xp.full_like(top, k)), top)
    return lib.while_loop(is_open, halve, bracket).low


def _quotients(lib: Standard, load: Array, threshold: Array) -> _Quotients:
    """Count the quotients at or above a threshold: [rows, experts], [rows, 1].

    A plain division gives the count or one less (its error and the rounding of the quotients are
    far below the margin, and the margin is below one up to the largest count that the checks let
    in); the correctly rounded quotient next to it decides.
    """
    xp = lib.xp
    guess = xp.floor(load / threshold * (1.0 - 2.0**-20))
    following = lib.divide(load, guess + 1.0)
    more = following >= threshold
    other = lib.divide(load, xp.where(more, guess + 2.0, xp.clip(guess, 1.0, None)))
    return _Quotients(
        xp.where(more, guess + 1.0, guess),
        xp.where(more, following, other),
        xp.where(more, other, following),
    )


def _in_order(lib: Standard, load: Array, spares: Array, num_spares: int) -> tuple[Array, Array]:
    """The expert of each spare, and which replica of it that is, in the order handed out: [rows, spares]."""
    xp = lib.xp
    end = xp.cumulative_sum(spares, axis=-1, dtype=lib.index_dtype)
    number = xp.broadcast_to(lib.arange(num_spares, load), (load.shape[0], num_spares))
    owner = count_at_most(lib, end, number, num_spares + 1)
    start = xp.take_along_axis(end - spares, owner, axis=-1)
    turn = number - start + 1
    quotient = lib.divide(xp.take_along_axis(load, owner, axis=-1), xp.astype(turn, xp.float32))
    order = heaviest_first(lib, quotient)
    return xp.take_along_axis(owner, order, axis=-1), xp.take_along_axis(turn, order, axis=-1)
