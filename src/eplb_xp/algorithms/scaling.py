"""Loads as the algorithms want them: float32, clean, and of a size with which nothing can go wrong."""

from typing import TYPE_CHECKING, NamedTuple

from eplb_xp.types import Array

if TYPE_CHECKING:
    from eplb_xp.backends.standard import Standard

SMALLEST_NORMAL = 2.0**-126
SMALLEST_SHARE = 2.0**-60


class Scaled(NamedTuple):
    load: Array  # [rows, items] float32, the largest of a row in [1, 2)
    unit: Array  # [rows, 1] float32, the power of two that turns it into tokens again


def scaled(lib: "Standard", weight: Array) -> Scaled:
    """Scale each row by a power of two so that its largest load is in [1, 2).

    That is exact, so it changes no plan. After it no product or sum overflows and none is
    subnormal, where libraries differ (XLA takes subnormals for zero). A load that is NaN, infinite,
    negative or subnormal counts as zero, and so does one under 2^-60 of the largest in its row.
    """
    xp = lib.xp
    load = lib.float32(weight)
    load = xp.where((load >= SMALLEST_NORMAL) & (load < float("inf")), load, 0.0)
    top = xp.max(load, axis=-1, keepdims=True)
    unit = xp.ones_like(top)

    def multiply(where: Array, factor: float) -> None:
        nonlocal load, top, unit
        by = xp.where(where, xp.full_like(top, factor), 1.0)
        load, top = load * by, top * by
        unit = xp.where(where, unit * (1.0 / factor), unit)

    multiply(top < 1.0, 2.0**126)
    for exponent in (64, 32, 16, 8, 4, 2, 1):
        multiply(top >= 2.0**exponent, 2.0**-exponent)
    return Scaled(xp.where(load >= SMALLEST_SHARE, load, 0.0), unit)
