"""The last spare's quotient, as `algorithms/counts/threshold.py` searches for it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST, bits_of, float_of


@triton.jit
def _quotients(load, threshold, FEWEST: tl.constexpr, MOST: tl.constexpr):
    """How many quotients of each expert are at or above a threshold, the last of those, and the next one."""
    least: tl.constexpr = FEWEST - 1.0
    most: tl.constexpr = MOST - 1.0
    guess = tl.floor(load / threshold * (1.0 - 2.0**-20))
    guess = tl.minimum(tl.maximum(guess, least), most)
    following = tl.div_rn(load, guess + 1.0)
    more = (following >= threshold) & (guess < most)
    other = tl.div_rn(load, tl.where(more, guess + 2.0, tl.maximum(guess, 1.0)))
    number = tl.where(more, guess + 1.0, guess)
    after = tl.where(number < most, tl.where(more, other, following), 0.0)
    return (number - least).to(tl.int32), tl.where(more, following, other), after


@triton.jit
def _number(quotient, FEWEST: tl.constexpr, MOST: tl.constexpr):
    """The quotient rounded down, or as if it were an integer less at half of all integers; within limits."""
    # What is rounded to is in the lowest bits of a float of 2^23 or more: quicker than to convert it.
    rounded = bits_of(quotient + 8388607.5) - 0x4B000000
    return tl.minimum(tl.maximum(rounded, FEWEST - 1), MOST - 1) - (FEWEST - 1)


@triton.jit
def _narrowed(load, low, high, K: tl.constexpr, FEWEST: tl.constexpr, MOST: tl.constexpr):
    """A sixteenth of a bracket, or little more: by quotients that are good to 2^-20, for many thresholds at once."""
    T: tl.constexpr = 16
    bits = low + tl.maximum((high - low) // T, 1) * (tl.arange(0, T) + 1)
    quotient = tl.minimum(load[None, :] * (1.0 / float_of(bits))[:, None], MOST + 1.0)
    at_least = tl.sum(_number(quotient * (1.0 - 2.0**-20), FEWEST, MOST), axis=1)
    at_most = tl.sum(_number(quotient * (1.0 + 2.0**-20), FEWEST, MOST), axis=1)
    return (
        tl.maximum(low, tl.max(tl.where(at_least >= K, bits, low), axis=0)),
        tl.minimum(high, tl.min(tl.where(at_most < K, bits, high), axis=0)),
    )


@triton.jit
def spare_numbers(load, K: tl.constexpr, FEWEST: tl.constexpr, MOST: tl.constexpr):
    """How many of K spares each expert gets; loads beyond the last expert are zero."""
    top = tl.max(bits_of(load), axis=0)
    # A row without load gives all to its first expert.
    number = tl.arange(0, load.shape[0])
    load = tl.where((top == 0) & (number == 0), 1.0, load)
    high = tl.max(bits_of(load), axis=0)
    low = high * 0
    if MOST - FEWEST >= K:
        low = bits_of(tl.div_rn(float_of(high), FEWEST + K - 1.0))
    for _ in tl.static_range(2):
        low, high = _narrowed(load, low, high, K, FEWEST, MOST)
    while low < high:
        low_load, high_load = float_of(low), float_of(high)
        middle = low_load + (high_load - low_load) * 0.5
        middle = tl.where(middle > low_load, middle, high_load)
        count, last, after = _quotients(load, middle, FEWEST, MOST)
        if tl.sum(count, axis=0) >= K:
            low = tl.min(tl.where(count > 0, bits_of(last), HIGHEST), axis=0)
        else:
            high = tl.max(bits_of(after), axis=0)
    threshold = float_of(low)
    count, last, after = _quotients(load, threshold, FEWEST, MOST)
    tied = ((last == threshold) & (count > 0)).to(tl.int32)
    sure = count - tied
    left = K - tl.sum(sure, axis=0)
    return tl.where(tl.cumsum(tied, axis=0) <= left, count, sure)
