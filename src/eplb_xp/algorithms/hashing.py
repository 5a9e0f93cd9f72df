"""Numbers that look drawn, from numbers: the same on every library, where the loads are, without a table.

Integer arithmetic modulo 2^31, which is the same for indices of 32 and 64 bits.
"""

from eplb_xp.types import Array

MASK = 2**31 - 1


def hashed(x: Array) -> Array:
    """Mix the low 31 bits of integers until each depends on all."""
    x = x & MASK
    for shift, factor in ((16, 0x45D9F3B), (15, 0x2C1B3C6D), (16, 1)):
        x = ((x ^ (x >> shift)) * factor) & MASK
    return x


def below(drawn: Array, number: int) -> Array:
    """Hashes as integers from 0 up to, not including, a number, which is at most 2^17."""
    return ((drawn >> 17) * number) >> 14
