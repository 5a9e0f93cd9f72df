"""Loads on their way in, as `algorithms/scaling.py` cleans and scales them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of


@triton.jit
def clean(x):
    """Values of any dtype as float32; what is no load is zero."""
    x = x.to(tl.float32)
    return tl.where((x >= 2.0**-125) & (x < float("inf")), x, 0.0)


@triton.jit
def factors(top):
    """Two powers of two that bring the largest load into [1, 2)."""
    top = tl.where(top == 0.0, 1.0, top)
    first = tl.where(top >= 2.0**64, 2.0**-64, 1.0)
    second = float_of(2 * 0x3F800000 - (bits_of(top * first) & 0x7F800000))
    return first, second


@triton.jit
def scaled(x, first, second):
    x = x * first * second
    return tl.where(x >= 2.0**-60, x, 0.0)
