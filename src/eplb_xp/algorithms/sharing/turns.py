"""Layers take turns at levelling, some at once: those that need many rounds hold up no others."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import inverse, put_rows, take_rows
from eplb_xp.algorithms.sharing.matchings import ROUNDS_AT_ONCE, Levelling, Meetings, judged, some_rounds
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# With so few layers there is nothing to be gained.
FEWEST_AT_ONCE = 8

# Rounds, after which others have their turn.
ROUNDS = 6


class _Turn(NamedTuple):
    """Some layers, and how long their turn has been."""

    state: Levelling
    rounds: Array  # []


def levelled(lib: Standard, who: Meetings, start: Levelling, tolerance: Array) -> Levelling:
    """All layers levelled until they are done."""
    xp = lib.xp
    layers = start.is_done.shape[0]
    if layers == 0:
        return start
    at_once = min(max(-(-layers // 8), FEWEST_AT_ONCE), layers)

    def unfinished(state: Levelling) -> Array:
        return xp.any(~state.is_done)

    def take_turn(state: Levelling) -> Levelling:
        key = xp.astype(state.is_done, xp.float32)[None, :, 0]
        _, order = lib.sort_rows(key, lib.arange_like(key))
        place = inverse(lib, order)[0, :]
        some = order[0, :at_once]
        found = _one_turn(lib, take_rows(lib, who, some), take_rows(lib, state, some), take_rows(lib, tolerance, some))
        return put_rows(lib, state, found, place, at_once)

    return lib.while_loop(unfinished, take_turn, start)


def _one_turn(lib: Standard, who: Meetings, start: Levelling, tolerance: Array) -> Levelling:
    """Some layers, until they are done or others have their turn."""
    xp = lib.xp

    def unfinished(turn: _Turn) -> Array:
        return xp.any(~turn.state.is_done) & (turn.rounds < ROUNDS)

    def one_more(turn: _Turn) -> _Turn:
        return _Turn(some_rounds(lib, who, judged(lib, who, turn.state, tolerance)), turn.rounds + ROUNDS_AT_ONCE)

    return lib.while_loop(unfinished, one_more, _Turn(start, xp.zeros_like(xp.max(start.rounds)))).state
