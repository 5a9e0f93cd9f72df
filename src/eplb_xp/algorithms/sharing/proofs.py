"""What no shares can beat: tokens of experts that some GPUs alone hold, over the number of those GPUs."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import inverse
from eplb_xp.algorithms.runs import Runs, of_owner, run_max
from eplb_xp.algorithms.sharing.table import by_place, on_gpus
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

MANTISSA = 2**23


class Proof(NamedTuple):
    """A set of GPUs, and the tokens that they must take."""

    gpus: Array  # [layers, gpus] bool
    tokens: Array  # [layers, 1]
    size: Array  # [layers, 1] GPUs in it


class Linked(NamedTuple):
    """The tokens of experts that have several holders, and what the others bring."""

    runs: Runs  # their holders, and some of the others
    tokens: Array  # [layers, experts] of those, else 0
    alone: Array  # [layers, gpus] of the others
    nothing: Array  # [layers, slots] 0


class _Quotient(NamedTuple):
    """A long division: value * unit + rest / divisor * unit, value getting as many bits as a float32 has."""

    value: Array
    rest: Array
    unit: Array


def least(proof: Proof) -> Array:
    """Tokens that the busiest GPU has at least, a whole number: [layers, 1]."""
    return -(-proof.tokens // proof.size)


def is_stronger(proof: Proof, other: Proof) -> Array:
    """Whether a proof is the stronger one, exactly: [layers, 1]."""
    ours, theirs = proof.tokens // proof.size, other.tokens // other.size
    more = proof.tokens % proof.size * other.size > other.tokens % other.size * proof.size
    return (ours > theirs) | ((ours == theirs) & more)


def proof_of_busiest(lib: Standard, linked: Linked, gpu_load: Array) -> Proof:
    """The strongest of the sets of the busiest GPUs."""
    xp = lib.xp
    runs, tokens = linked.runs, linked.tokens
    num_gpus = gpu_load.shape[-1]
    # Any order of GPUs proves something, so that it does not matter what rounding makes of large numbers.
    _, order = lib.sort_rows(xp.astype(gpu_load, xp.float32), lib.arange_like(gpu_load), descending=True)
    rank = inverse(lib, order)
    # An expert counts with the last of its GPUs.
    gpu = runs.order % num_gpus
    its_rank = lib.take_along_axis(rank, gpu)
    last = run_max(lib, runs, its_rank, num_gpus)
    is_last = its_rank == of_owner(lib, last, runs.owner)
    held = xp.where(is_last, of_owner(lib, tokens, runs.owner), 0)
    held = lib.put_along_axis(linked.nothing, runs.order, held)
    held = on_gpus(lib, by_place(lib, held, num_gpus)) + linked.alone

    inside = xp.cumulative_sum(lib.take_along_axis(held, order), axis=-1, dtype=lib.index_dtype)
    size = lib.arange_like(inside) + 1
    whole = inside // size
    # Exact in float32, and divided as the plans' loads are.
    rest = lib.divide(xp.astype(inside % size, xp.float32) * 2.0**-12, xp.astype(size, xp.float32))
    rest = xp.where(whole == xp.max(whole, axis=-1, keepdims=True), rest, -1.0)
    best = lib.argmin(-rest)
    return Proof(rank <= best, lib.take_along_axis(inside, best), best + 1)


def rounded_down(lib: Standard, proof: Proof) -> Array:
    """Tokens over GPUs as float32, never more than it is: [layers, 1]."""
    xp = lib.xp
    value = proof.tokens // proof.size
    start = _Quotient(value, proof.tokens - value * proof.size, xp.ones_like(xp.astype(value, xp.float32)))

    def is_short(quotient: _Quotient) -> Array:
        return (quotient.value < MANTISSA) & (proof.tokens > 0)

    def unfinished(quotient: _Quotient) -> Array:
        return xp.any(is_short(quotient) | (quotient.value >= 2 * MANTISSA))

    def one_bit(quotient: _Quotient) -> _Quotient:
        value, rest, unit = quotient
        short, long = is_short(quotient), value >= 2 * MANTISSA
        bit = xp.astype(2 * rest >= proof.size, lib.index_dtype)
        return _Quotient(
            xp.where(short, 2 * value + bit, xp.where(long, value >> 1, value)),
            xp.where(short, 2 * rest - bit * proof.size, rest),
            xp.where(short, 0.5 * unit, xp.where(long, 2.0 * unit, unit)),
        )

    found = lib.while_loop(unfinished, one_bit, start)
    return xp.astype(found.value, xp.float32) * found.unit
