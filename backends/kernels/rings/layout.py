"""Where on the ring each replica goes, were there always room, as `algorithms/rings/layout.py` has it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import HIGHEST
from eplb_xp.backends.kernels.hashing import hashed


@triton.jit
def wishes(own, S: tl.constexpr):
    """The GPU that each replica of an expert with several is wanted on, and its item: gpu << 12 | item.

    Sorted, for each GPU by item; beyond the last HIGHEST.
    """
    k = tl.arange(0, S.spares2)
    there = k < S.spares
    # A spare is a link, and links are in the order of their experts: its place there is how many come before it.
    expert = tl.load(own + S.spare_at + k, mask=there, other=0)
    key = (hashed(hashed(expert + 1)) >> 8).to(tl.int64) << 24 | (expert << 12 | k).to(tl.int64)
    key = tl.sort(tl.where(there, key, 0x7FFFFFFFFFFFFFFF))
    expert, spare = ((key >> 12) & 0xFFF).to(tl.int32), (key & 0xFFF).to(tl.int32)
    rank = tl.load(own + S.spare_rank_at + spare, mask=there, other=1)
    before = k - rank + 1

    whole: tl.constexpr = S.spares // S.gpus * S.gpus
    rest: tl.constexpr = max(S.spares % S.gpus, 1)
    first = tl.where(before < whole, before, whole + (before - whole) * S.gpus // rest)
    its = tl.where(there, _gpu_at(first + rank, S) << 12 | (S.node_experts + spare), HIGHEST)
    firsts = tl.where(there & (rank == 1), _gpu_at(first, S) << 12 | expert, HIGHEST)
    return tl.sort(tl.reshape(tl.join(its, firsts), [2 * S.spares2]))


@triton.jit
def _gpu_at(position, S: tl.constexpr):
    turn = position // S.gpus % S.num_strides
    stride = tl.full(position.shape, 1, tl.int32)
    for i in tl.static_range(1, S.num_strides):
        stride = tl.where(turn == i, S.strides[i], stride)
    return position % S.gpus * stride % S.gpus
