"""What no shares can beat, as `algorithms/sharing/proofs.py` has it."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of
from eplb_xp.backends.kernels.improving.table import entry_of
from eplb_xp.backends.kernels.sharing.table import first_most


@triton.jit
def least(tokens, size):
    """Tokens that the busiest GPU has at least, a whole number."""
    return (tokens + size - 1) // size


@triton.jit
def is_stronger(tokens, size, other_tokens, other_size):
    """Whether a proof is the stronger one, exactly."""
    return tokens.to(tl.int64) * other_size > other_tokens.to(tl.int64) * size


@triton.jit
def _larger(x, y):
    return tl.maximum(x, y)


@triton.jit
def _ranks(gpu_load, g, S: tl.constexpr):
    """How many GPUs come before each, busiest first."""
    # As a float, like in the once-written code; those that are none come last.
    load = tl.where(g < S.gpus, gpu_load.to(tl.float32), -1.0)
    other = tl.arange(0, S.gpus2)[:, None]
    busier = (load[:, None] > load[None, :]) | ((load[:, None] == load[None, :]) & (other < g[None, :]))
    return tl.sum(busier.to(tl.int32), axis=0)


@triton.jit
def proof_of_busiest(gpu_load, alone, run_at, run_gpu, is_last, its_run, its_tokens, own, S: tl.constexpr):
    """The strongest of the sets of the busiest GPUs: which are in it, tokens that they must take, and how many.

    `run_at` [linked]: where the holders of each expert begin; `run_gpu`: the GPU of each of those; `is_last` of its
    expert; `its_run`, `its_tokens`: the same and tokens of each place, of experts of several holders.
    """
    g = tl.arange(0, S.gpus2)
    rank = _ranks(gpu_load, g, S)
    tl.store(own + S.rank_at + g, rank, mask=g < S.gpus)
    tl.debug_barrier()
    # Runs lie one after the other, so that the largest so far of both is the largest of the run.
    largest = tl.associative_scan(run_at << 10 | tl.load(own + S.rank_at + run_gpu), 0, _larger)
    tl.store(own + S.last_at + run_at, largest & 1023, mask=is_last)
    tl.debug_barrier()
    last = tl.load(own + S.last_at + its_run, mask=its_tokens > 0, other=-1)
    held = tl.sum(tl.where(last == rank[None, :], its_tokens, 0), axis=0) + alone
    tl.store(own + S.held_at + rank, held, mask=g < S.gpus)
    tl.debug_barrier()
    inside = tl.cumsum(tl.load(own + S.held_at + g, mask=g < S.gpus, other=0), axis=0)
    size = g + 1
    whole = tl.where(g < S.gpus, inside // size, -1)
    rest = bits_of(tl.div_rn((inside % size).to(tl.float32) * 2.0**-12, size.to(tl.float32)))
    _, best = first_most(tl.where(whole == tl.max(whole, axis=0), rest, -1), g)
    return rank <= best, entry_of(inside, g, best), best + 1


@triton.jit
def rounded_down(tokens, size):
    """Tokens over GPUs as float32, never more than it is."""
    # Their quotient lies no nearer to a float32 above it than 2^-34 of it, so that this division can't reach that.
    quotient = (tokens.to(tl.float64) / size.to(tl.float64)).to(tl.int64, bitcast=True)
    return (quotient & -(2**29)).to(tl.float64, bitcast=True).to(tl.float32)
