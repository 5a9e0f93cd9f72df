"""The tokens of a batch, place by place, as `algorithms/sharing/table.py` has them: [slots of a GPU, gpus]."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.improving.table import first_at


@triton.jit
def places(S: tl.constexpr):
    """Rank, GPU and place of each entry, place = rank * GPUs + GPU; and whether there is such a slot."""
    rank = tl.arange(0, S.capacity2)[:, None]
    gpu = tl.arange(0, S.gpus2)[None, :]
    return rank, gpu, rank * S.gpus + gpu, (rank < S.capacity) & (gpu < S.gpus)


@triton.jit
def read_table(expert_at, holders_at, S: tl.constexpr):
    """The expert in each place, or none's number, and how many hold it."""
    _, _, place, there = places(S)
    expert = tl.load(expert_at + place, mask=there, other=S.experts).to(tl.int32)
    return expert, tl.load(holders_at + expert, mask=expert < S.experts, other=0).to(tl.int32)


@triton.jit
def read_on_gpus(at, S: tl.constexpr):
    """The sums of the columns of a table in memory: [gpus]."""
    _, _, place, there = places(S)
    return tl.sum(tl.load(at + place, mask=there, other=0), axis=0)


@triton.jit
def first_most(x, index):
    """The largest of some integers, and where it is first."""
    most = tl.max(x, axis=0)
    return most, first_at(x, index, most)
