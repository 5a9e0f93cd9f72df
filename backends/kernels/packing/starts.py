"""What each start sorts by, as `algorithms/packing/starts.py` has it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.hashing import hashed


@triton.jit
def noisy(load, start, S: tl.constexpr):
    """What a start sorts by, as `algorithms/packing/starts.py` has it."""
    item = tl.arange(0, S.packed2)
    of_start = hashed(hashed(start * 0 + S.seed) + start)
    u = hashed(of_start + item) >> 20
    noise = start * S.noise // max(S.starts - 1, 1)
    return load * (1.0 + (u * noise).to(tl.float32) * 2.0**-23)
