"""How counts are known that were tried before, as `algorithms/counts/candidates.py` knows them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.hashing import hashed


@triton.jit
def fingerprint(own, S: tl.constexpr):
    """A number for the counts that are written."""
    e = tl.arange(0, S.node_experts2)
    count = tl.load(own + S.count_at + e, mask=e < S.node_experts, other=0)
    return tl.sum((count * hashed(hashed(e + 1))) & 0x7FFFFFFF, axis=0) & 0x7FFFFFFF


@triton.jit
def are_new(record, generation, S: tl.constexpr):
    """Whether each candidate's fingerprint is neither among those improved before nor earlier in its generation."""
    i = tl.arange(0, S.candidates2)
    seen = 1 + generation * S.refined
    mark = tl.load(record + S.mark_at + i, mask=i < S.candidates, other=-2)
    again = (mark[:, None] == mark[None, :]) & (i[:, None] > i[None, :])
    found = tl.max(again.to(tl.int32), axis=1)
    first = seen * 0
    while first < seen:
        other = tl.load(record + S.seen_at + first + i, mask=first + i < seen, other=-3)
        found = tl.maximum(found, tl.max((mark[:, None] == other[None, :]).to(tl.int32), axis=1))
        first += S.candidates2
    return (found == 0) & (i < S.candidates)
