"""Loads of a placing, replicas sharing equally, as `algorithms/following/system.py` has them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of


@triton.jit
def store_shares(own, expert, load, count, there, S: tl.constexpr):
    """Write what a replica of experts has, has once there is one more, and gets on top once there is one fewer."""
    number = count.to(tl.float32)
    share = tl.div_rn(load, number)
    less = tl.div_rn(load, number + 1.0)
    more = tl.div_rn(load, tl.maximum(number - 1.0, 1.0)) - share
    tl.store(own + S.share_at + expert, bits_of(share), mask=there)
    tl.store(own + S.less_at + expert, bits_of(less), mask=there)
    tl.store(own + S.more_at + expert, bits_of(more), mask=there)


@triton.jit
def gpu_loads(held_at, S: tl.constexpr):
    """The load of each GPU, added up in the order of its slots, from the share in each place."""
    gpu = tl.arange(0, S.gpus2)
    there = gpu < S.gpus
    total = float_of(tl.load(held_at + gpu, mask=there, other=0))
    for rank in tl.static_range(1, S.capacity):
        total += float_of(tl.load(held_at + rank * S.gpus + gpu, mask=there, other=0))
    return total
