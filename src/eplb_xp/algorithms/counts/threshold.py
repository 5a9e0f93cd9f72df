"""Many spares: the K-th largest quotient by bisection, and of each expert the quotients down to it."""

from typing import NamedTuple

from eplb_xp.algorithms.counts.spares import Range, Spares
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Bracket(NamedTuple):
    """Two quotients with the wanted one between them, or equal to either: [rows, 1]."""

    low: Array
    high: Array


class _Quotients(NamedTuple):
    """The quotients load / j of each expert on both sides of a threshold: [rows, experts]."""

    count: Array  # how many are at or above it; float32, integer-valued
    last: Array  # the smallest at or above it (meaningless where the count is 0)
    after: Array  # the largest below it


def hand_out(lib: Standard, load: Array, num_spares: int, within: Range) -> Spares:
    """The spares in the order handed out; ties go to the first expert."""
    xp = lib.xp
    count = _counts(lib, load, num_spares, within)
    number = count - within.fewest
    end = xp.cumulative_sum(number, axis=-1, dtype=lib.index_dtype)
    expert = _owners(lib, number, end - number, num_spares)
    rank = lib.arange_like(expert) - lib.take_along_axis(end - number, expert) + within.fewest
    quotient = lib.divide(lib.take_along_axis(load, expert), xp.astype(rank, xp.float32))
    _, order = lib.sort_rows(quotient, lib.arange_like(quotient), descending=True)
    return Spares(lib.take_along_axis(expert, order), lib.take_along_axis(rank, order), count)


def _owners(lib: Standard, number: Array, start: Array, num_spares: int) -> Array:
    """The expert of each spare, expert by expert: [rows, spares]."""
    xp = lib.xp
    rows, experts = number.shape
    expert = lib.arange_like(number)
    # Counted down, so that a running minimum fills the places behind each expert's first spare.
    first = xp.broadcast_to(xp.full_like(expert[:, :1], experts), (rows, num_spares + 1))
    first = lib.put_along_axis(first, xp.where(number > 0, start, num_spares), experts - expert)
    return experts - lib.running_minimum(first[:, :num_spares])


def _counts(lib: Standard, load: Array, num_spares: int, within: Range) -> Array:
    """How many replicas each expert gets: [rows, experts]. No other counts make the largest replica smaller."""
    xp = lib.xp
    fewest, most = within
    idle = xp.max(load, axis=-1, keepdims=True) == 0.0
    load = xp.where(idle & (lib.arange_like(load) == 0), 1.0, load)
    top = xp.max(load, axis=-1, keepdims=True)
    # Without a cap the expert with the top load has enough quotients by itself.
    enough = most - fewest >= num_spares
    low = lib.divide(top, xp.full_like(top, fewest + num_spares - 1)) if enough else xp.zeros_like(top)
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
