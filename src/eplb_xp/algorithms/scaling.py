"""Loads as the algorithms want them: float32, clean, and of a size with which nothing can go wrong."""

from typing import NamedTuple

from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# Twice the smallest normal number, so that nothing rounds up to it from where XLA already sees zero.
SMALLEST_LOAD = 2.0**-125
SMALLEST_SHARE = 2.0**-60


class Scaled(NamedTuple):
    """Loads, and what one of their units is in tokens."""

    load: Array  # [rows, items] float32, the largest of a row in [1, 2)
    unit: Array  # [rows, 1] float32, the power of two that turns it into tokens again


def scaled(lib: Standard, weight: Array) -> Scaled:
    """Scale each row by a power of two so that its largest load is in [1, 2).

    That is exact, so it changes no plan. After it no product or sum overflows and none is
    subnormal, where libraries differ (XLA takes subnormals for zero). A load counts as zero if it is
    NaN, infinite, negative, under 2^-125, or under 2^-60 of the largest in its row, that one
    rounded down to a power of two.
    """
    xp = lib.xp
    load = lib.float32(weight)
    load = xp.where((load >= SMALLEST_LOAD) & (load < float("inf")), load, 0.0)
    top = xp.max(load, axis=-1, keepdims=True)
    top = xp.where(top == 0.0, 1.0, top)
    # In two factors, because 2^-127 is subnormal.
    huge = top >= 2.0**64
    first = xp.where(huge, 2.0**-64, xp.ones_like(top))
    second = lib.reciprocal_of_binade(top * first)
    unit = lib.reciprocal_of_binade(second) * xp.where(huge, 2.0**64, xp.ones_like(top))
    load = load * first * second
    return Scaled(xp.where(load >= SMALLEST_SHARE, load, 0.0), unit)
