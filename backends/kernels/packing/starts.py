"""What each start sorts by, as `algorithms/packing/starts.py` has it."""

import triton
import triton.language as tl


@triton.jit
def _hash(x):
    x = x & 0x7FFFFFFF
    x = ((x ^ (x >> 16)) * 0x45D9F3B) & 0x7FFFFFFF
    x = ((x ^ (x >> 15)) * 0x2C1B3C6D) & 0x7FFFFFFF
    return x ^ (x >> 16)


@triton.jit
def noisy(load, start, S: tl.constexpr):
    """What a start sorts by, as `algorithms/packing/starts.py` has it."""
    item = tl.arange(0, S.packed2)
    of_start = _hash(_hash(start * 0 + S.seed) + start)
    u = _hash(of_start + item) >> 20
    noise = start * S.noise // max(S.starts - 1, 1)
    return load * (1.0 + (u * noise).to(tl.float32) * 2.0**-23)
