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


class Range(NamedTuple):
    """How many replicas an expert may have."""

    fewest: int
    most: int


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
    num_spares = num_replicas - load.shape[-1]
    count = replica_counts(lib, load, num_replicas)
    expert = lib.arange_like(load)
    rank = xp.zeros_like(expert)
    owner, turn = spares(lib, load, count - 1, num_spares)
    return Replicas(xp.concat([expert, owner], axis=-1), xp.concat([rank, turn], axis=-1), count)


def replica_counts(lib: Standard, load: Array, num_replicas: int, within: Range | None = None) -> Array:
    """How many replicas each expert gets: [rows, experts]. No other counts make the largest replica smaller.

    By default an expert may have any number from 1 on. Narrower ranges must leave room for as many
    replicas as there are, and loads that are all positive.
    """
    xp = lib.xp
    expert = lib.arange_like(load)
    experts = load.shape[-1]
    any_number = Range(1, num_replicas - experts + 1)
    within = within or any_number
    fewest = within.fewest
    num_spares = num_replicas - experts * fewest
    if num_spares == 0:
        return xp.full_like(expert, fewest)
    idle = xp.max(load, axis=-1, keepdims=True) == 0.0
    load = xp.where(idle & (expert == 0), 1.0, load)
    top = xp.max(load, axis=-1, keepdims=True)
    # Without a cap the expert with the top load has enough quotients by itself.
    low = lib.divide(top, xp.full_like(top, num_spares)) if within == any_number else xp.zeros_like(top)
    threshold = _kth_quotient(lib, load, within, num_spares, _Bracket(low, top))
    quotients = _quotients(lib, load, within, threshold)
    count = xp.astype(quotients.count, lib.index_dtype)
    tied = xp.astype((quotients.last == threshold) & (count > 0), lib.index_dtype)
    sure = count - tied
    left = num_spares - xp.sum(sure, axis=-1, keepdims=True, dtype=lib.index_dtype)
    turn = xp.cumulative_sum(tied, axis=-1, dtype=lib.index_dtype)
    return fewest + xp.where(turn <= left, count, sure)


def _kth_quotient(lib: Standard, load: Array, within: Range, k: int, bracket: _Bracket) -> Array:
    """The k-th largest quotient of each row: [rows, 1].

    The upper end of the bracket is a quotient from the second step on, and so is the lower one from where it
    moves first. So it closes as soon as one distinct quotient is left, whether it occurs once or, in a tie, often.
    """
    xp = lib.xp

    def is_open(bracket: _Bracket) -> Array:
        return xp.any(bracket.low < bracket.high)

    def halve(bracket: _Bracket) -> _Bracket:
        low, high = bracket
        middle = low + (high - low) * 0.5
        middle = xp.where(middle > low, middle, high)
        count, last, after = _quotients(lib, load, within, middle)
        enough = xp.sum(count, axis=-1, keepdims=True) >= k
        reached = xp.min(xp.where(count > 0.0, last, float("inf")), axis=-1, keepdims=True)
        missed = xp.max(after, axis=-1, keepdims=True)
        return _Bracket(xp.where(enough, reached, low), xp.where(enough, high, missed))

    return lib.while_loop(is_open, halve, bracket).low


def _quotients(lib: Standard, load: Array, within: Range, threshold: Array) -> _Quotients:
    """Count the quotients load / j at or above a threshold, j from the fewest up to below the most.

    A plain division gives the count or one less (its error and the rounding of the quotients are
    far below the margin, and the margin is below one up to the largest count that the checks let
    in); the correctly rounded quotient next to it decides.
    """
    xp = lib.xp
    fewest, most = within
    guess = xp.clip(xp.floor(load / threshold * (1.0 - 2.0**-20)), fewest - 1.0, most - 1.0)
    following = lib.divide(load, guess + 1.0)
    more = (following >= threshold) & (guess < most - 1)
    other = lib.divide(load, xp.where(more, guess + 2.0, xp.clip(guess, 1.0, None)))
    number = xp.where(more, guess + 1.0, guess)
    return _Quotients(
        number - (fewest - 1),
        xp.where(more, following, other),
        xp.where(number < most - 1, xp.where(more, other, following), 0.0),
    )


def spares(lib: Standard, load: Array, number_of: Array, num_spares: int, fewest: int = 1) -> tuple[Array, Array]:
    """The expert of each spare, and which replica of it that is, in the order handed out: [rows, spares].

    ``number_of`` [rows, experts] spares come after the ``fewest`` replicas that every expert has.
    """
    xp = lib.xp
    end = xp.cumulative_sum(number_of, axis=-1, dtype=lib.index_dtype)
    number = xp.broadcast_to(lib.arange(num_spares, load), (load.shape[0], num_spares))
    owner = count_at_most(lib, end, number, num_spares + 1)
    start = xp.take_along_axis(end - number_of, owner, axis=-1)
    turn = number - start + fewest
    quotient = lib.divide(xp.take_along_axis(load, owner, axis=-1), xp.astype(turn, xp.float32))
    order = heaviest_first(lib, quotient)
    return xp.take_along_axis(owner, order, axis=-1), xp.take_along_axis(turn, order, axis=-1)
