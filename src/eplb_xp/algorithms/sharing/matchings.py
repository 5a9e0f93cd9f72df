"""Shares of any plan: holders of an expert meet in pairs and level their GPUs, as far as their tokens go.

The loads of the best shares are also those with the least sum of squares, so levelling pair after pair leads there. A
pair moves 11 sixteenths of its difference in place of a half: over-relaxation, with which it takes fewer rounds.
"""

from typing import NamedTuple

from eplb_xp.algorithms.rows import choose
from eplb_xp.algorithms.runs import of_owner
from eplb_xp.algorithms.sharing.colours import span
from eplb_xp.algorithms.sharing.prepared import linked_runs
from eplb_xp.algorithms.sharing.proofs import Linked, Proof, is_stronger, least, proof_of_busiest
from eplb_xp.algorithms.sharing.table import Table, by_place, on_gpus
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array, Prepared

# Rounds of whole tokens, in which GPUs that rounding made busier give some away.
MOST_WHOLE_ROUNDS = 4

# Rounds, after which a layer is judged: that takes as long as a round.
ROUNDS_AT_ONCE = 2


class Meetings(NamedTuple):
    """When the holder in each place meets whom: [layers, slots of a GPU, gpus]."""

    begin: Array  # the first colour of its expert
    end: Array  # the colour after its last
    turn: Array  # which holder of its expert it is
    holders: Array  # of its expert
    first: Array  # where those begin among all that are linked
    colours: Array  # [layers, 1] of the layer
    linked: Linked


class Levelling(NamedTuple):
    """Shares, the best so far, and what is proven."""

    share: Array  # [layers, slots] place by place, a token being 2^fine
    gpu_load: Array  # [layers, gpus]
    fine: Array  # [layers, 1]
    best: Array  # [layers, slots] place by place, whole tokens
    busiest: Array  # [layers, 1] GPU's tokens under the best
    proof: Proof
    rounds: Array  # [layers, 1]
    limit: Array  # [layers, 1] of the rounds
    is_done: Array  # [layers, 1]


class _Round(NamedTuple):
    """Shares within a round."""

    share: Array  # [layers, slots of a GPU, gpus]
    gpu_load: Array
    turn: Array  # [] whose it is: colours of one round, and those of the next


def meetings(lib: Standard, prepared: Prepared[Array], batch: Table, tokens: Array, alone: Array) -> Meetings:
    """When holders meet, given tokens of each expert, and those on each GPU of experts that are there alone."""
    xp = lib.xp
    num_gpus = batch.tokens.shape[-1]
    several = prepared.holders > 1
    end = xp.where(several, prepared.colour + span(prepared.holders), 0)
    first, begin, its_end = (
        by_place(lib, of_owner(lib, x, prepared.expert), num_gpus) for x in (prepared.first, prepared.colour, end)
    )
    linked = Linked(linked_runs(lib, prepared), xp.where(several, tokens, 0), alone, xp.zeros_like(prepared.expert))
    return Meetings(begin, its_end, batch.turn, batch.holders, first, xp.max(end, axis=-1, keepdims=True), linked)


def judged(lib: Standard, who: Meetings, state: Levelling, tolerance: Array) -> Levelling:
    """What is proven, what is whole, what is best, and who is done."""
    xp = lib.xp
    found = proof_of_busiest(lib, who.linked, state.gpu_load)
    proof = choose(lib, ~state.is_done & is_stronger(found, state.proof), found, state.proof)
    bound = least(proof)
    bound = bound + xp.astype(xp.astype(bound, xp.float32) * tolerance, lib.index_dtype)
    # What is level enough becomes whole tokens, and levels a few rounds more.
    level = -(-xp.max(state.gpu_load, axis=-1, keepdims=True) >> state.fine) <= bound
    settles = ~state.is_done & (state.fine > 0) & (level | (state.rounds >= state.limit))
    share = xp.where(settles, _whole(lib, who, state), state.share)
    gpu_load = on_gpus(lib, by_place(lib, share, state.gpu_load.shape[-1]))
    fine = xp.where(settles, 0, state.fine)
    soon = state.rounds + MOST_WHOLE_ROUNDS
    limit = xp.where(settles & (soon < state.limit), soon, state.limit)

    busiest = xp.max(gpu_load, axis=-1, keepdims=True)
    better = ~state.is_done & (fine == 0) & (busiest < state.busiest)
    busiest = xp.where(better, busiest, state.busiest)
    best = xp.where(better, share, state.best)
    is_done = state.is_done | ((fine == 0) & ((busiest <= bound) | (state.rounds >= limit)))
    return Levelling(share, gpu_load, fine, best, busiest, proof, state.rounds, limit, is_done)


def _whole(lib: Standard, who: Meetings, state: Levelling) -> Array:
    """The shares as whole tokens: of each expert's holders in a row as many as whole tokens lie in what they have."""
    xp = lib.xp
    place = who.linked.runs.order
    until = xp.cumulative_sum(lib.take_along_axis(state.share, place), axis=-1, dtype=lib.index_dtype) >> state.fine
    whole = until - xp.concat([xp.zeros_like(until[:, :1]), until[:, :-1]], axis=-1)
    # All others are whole tokens.
    return lib.put_along_axis(state.share >> state.fine, place, whole)


def some_rounds(lib: Standard, who: Meetings, state: Levelling) -> Levelling:
    """All pairs level as often as layers do at once, colour by colour, in those that are not done."""
    xp = lib.xp
    num_gpus = state.gpu_load.shape[-1]
    colours = xp.max(xp.where(state.is_done, 0, who.colours))
    left = xp.where(state.is_done, 0, xp.clip(state.limit - state.rounds, None, ROUNDS_AT_ONCE))
    stays = who.holders - 1 + who.holders % 2
    place = who.linked.runs.order

    def unfinished(now: _Round) -> Array:
        return now.turn < ROUNDS_AT_ONCE * colours

    def meet(now: _Round) -> _Round:
        share, gpu_load, whose = now
        colour = whose % colours
        turn = colour - who.begin
        plays = (turn >= 0) & (colour < who.end) & (whose // colours < left)[:, :, None]
        # The last team stays where it is, the others move one chair a turn; who meets its own chair meets the last.
        chair = 2 * turn - who.turn
        chair = xp.where(chair < 0, chair + stays, xp.where(chair >= stays, chair - stays, chair))
        other = xp.where(who.turn == stays, turn, xp.where(chair == who.turn, stays, chair))
        plays = plays & (other < who.holders)
        partner = xp.max(xp.where(plays, who.first + other, -1), axis=1)
        meets = partner >= 0
        partner = lib.take_along_axis(place, xp.where(meets, partner, 0))
        ours = xp.max(xp.where(plays, share, 0), axis=1)
        theirs = lib.take_along_axis(xp.reshape(share, state.share.shape), partner)
        more = lib.take_along_axis(gpu_load, partner % num_gpus) - gpu_load
        size = xp.abs(more)
        move = (size >> 1) + (size >> 3) + (size >> 4)
        move = xp.where(more < 0, -xp.minimum(move, ours), xp.minimum(move, theirs))
        move = xp.where(meets, move, 0)
        return _Round(share + xp.where(plays, move[:, None, :], 0), gpu_load + move, whose + 1)

    start = _Round(by_place(lib, state.share, num_gpus), state.gpu_load, xp.zeros_like(colours))
    share, gpu_load, _ = lib.while_loop(unfinished, meet, start)
    return state._replace(share=xp.reshape(share, state.share.shape), gpu_load=gpu_load, rounds=state.rounds + left)
