"""Correct rounding for libraries whose compiler does not divide as IEEE 754 says."""

from collections.abc import Callable
from typing import Any

from eplb_xp.types import Array

LOW_BITS = (1 << 12) - 1


def corrected(
    xp: Any, q: Array, w: Array, n: Array, *, bits: Callable[[Array], Array], floats: Callable[[Array], Array]
) -> Array:
    """Step a quotient of w and n that is up to two units in the last place off to the nearest float32.

    ``bits`` and ``floats`` reinterpret float32 as int32 and back. Split into its 12 high and its low
    bits, q has exact products with n up to 4096, and their differences to w are exact too, fused or
    not: so the sign and the size of the remainder are known. No tie can occur: a quotient halfway
    between two floats would need a w of 25 bits.
    """
    for _ in range(2):
        code = bits(q)
        high = floats(code & ~LOW_BITS)
        remainder = (w - high * n) - (q - high) * n
        above, below = floats(code + 1), floats(xp.clip(code - 1, 0, None))
        up = remainder > (above - q) * 0.5 * n
        down = -remainder > (q - below) * 0.5 * n
        q = xp.where(up, above, xp.where(down, below, q))
    return q
