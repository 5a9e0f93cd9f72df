"""Shares of a batch: whole tokens -> equal shares -> exactly on rings, else by matchings -> the result."""

from eplb_xp.algorithms.rows import choose
from eplb_xp.algorithms.sharing.matchings import Levelling, meetings
from eplb_xp.algorithms.sharing.prepared import prepare
from eplb_xp.algorithms.sharing.proofs import Proof, rounded_down
from eplb_xp.algorithms.sharing.ring import ring_of, solved
from eplb_xp.algorithms.sharing.table import Table, by_place, by_slot, on_gpus, table
from eplb_xp.algorithms.sharing.tokens import MOST_TOKENS, whole_tokens
from eplb_xp.algorithms.sharing.turns import levelled
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array, Prepared, Shares

# A token is counted in up to so many halves of halves, where tokens are few.
MOST_FINE_BITS = 16


def share_of_plan(
    lib: Standard, phy2log: Array, tolerance: Array, weight: Array, *, num_gpus: int, rounds: int
) -> Shares[Array]:
    """Shares of a plan."""
    prepared = prepare(lib, phy2log, num_experts=weight.shape[-1], num_gpus=num_gpus)
    return share(lib, *prepared, tolerance, weight, num_gpus=num_gpus, rounds=rounds)


def share(lib: Standard, *arrays: Array, num_gpus: int, rounds: int) -> Shares[Array]:
    """Shares of a plan for which this is prepared: `Prepared`, tolerance, loads."""
    *parts, tolerance, weight = arrays
    prepared = Prepared(*parts)
    xp = lib.xp
    tokens = whole_tokens(lib, weight)
    batch = table(lib, prepared, tokens, num_gpus)
    equal = _equal(lib, batch)
    busiest = xp.max(on_gpus(lib, equal), axis=-1, keepdims=True)

    is_ring = prepared.size > 0
    ring = ring_of(lib, prepared, batch)
    on_ring = solved(lib, ring, xp.where(is_ring, busiest, 0))
    best = xp.where(is_ring[:, :, None], on_ring.share, equal)
    one = xp.ones_like(busiest)
    proof = choose(lib, is_ring, on_ring.proof, Proof(on_ring.proof.gpus, 0 * one, one))

    fine = _fine_bits(lib, tokens)
    finely = _equal(lib, batch._replace(tokens=batch.tokens << fine[:, :, None]))
    start = Levelling(
        share=_flat(lib, finely),
        gpu_load=on_gpus(lib, finely),
        fine=fine,
        best=_flat(lib, best),
        busiest=xp.max(on_gpus(lib, best), axis=-1, keepdims=True),
        proof=proof,
        rounds=0 * one,
        limit=xp.full_like(one, rounds),
        is_done=is_ring,
    )
    found = levelled(lib, meetings(lib, prepared, batch, tokens, ring.alone), start, tolerance)
    return _result(lib, found, num_gpus)


def _result(lib: Standard, found: Levelling, num_gpus: int) -> Shares[Array]:
    xp = lib.xp
    best = by_place(lib, found.best, num_gpus)
    bound = rounded_down(lib, found.proof)
    ratio = xp.astype(found.busiest, xp.float32) / xp.where(bound > 0.0, bound, 1.0)
    return Shares(
        by_slot(lib, best),
        on_gpus(lib, best),
        found.busiest[:, 0],
        bound[:, 0],
        found.proof.gpus,
        xp.where(bound > 0.0, xp.clip(ratio - 1.0, 0.0, None), 0.0)[:, 0],
        found.rounds[:, 0],
    )


def _equal(lib: Standard, batch: Table) -> Array:
    """Equal shares of the holders of each expert, the first ones a token more: [layers, slots of a GPU, gpus]."""
    xp = lib.xp
    number = xp.clip(batch.holders, 1, None)
    extra = xp.astype(batch.turn < batch.tokens % number, lib.index_dtype)
    return xp.where(batch.holders > 0, batch.tokens // number + extra, 0)


def _fine_bits(lib: Standard, tokens: Array) -> Array:
    """By how many bits all tokens of a layer may be shifted: [layers, 1]."""
    xp = lib.xp
    total = xp.sum(tokens, axis=-1, keepdims=True, dtype=lib.index_dtype)
    most = lib.constant([MOST_TOKENS >> bits for bits in range(1, MOST_FINE_BITS + 1)], tokens)
    return xp.count_nonzero(total <= most[None, :], axis=-1, keepdims=True)


def _flat(lib: Standard, values: Array) -> Array:
    """A table row by row: [layers, slots]."""
    layers, capacity, num_gpus = values.shape
    return lib.xp.reshape(values, (layers, capacity * num_gpus))
