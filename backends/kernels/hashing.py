"""Numbers that look drawn, as `algorithms/hashing.py` has them."""

import triton
import triton.language as tl  # noqa: F401 # the interpreter looks for it in each module


@triton.jit
def hashed(x):
    x = x & 0x7FFFFFFF
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0x7FFFFFFF
    x = ((x ^ (x >> 15)) * 0x2C1B3C6D) & 0x7FFFFFFF
    return x ^ (x >> 16)


@triton.jit
def below(drawn, number):
    return ((drawn >> 17) * number) >> 14
