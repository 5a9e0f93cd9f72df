"""A slot for every replica: those on the ring where it has them, the others where load is least."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import count, slot_sum
from eplb_xp.algorithms.runs import runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Seating(NamedTuple):
    """The slots, and what is left to do."""

    item: Array  # [rows, items + 1] the item in each slot; the last is nobody's
    used: Array  # [rows, packs] slots of each pack that are taken
    load: Array  # [rows, packs]
    placed: Array  # [rows, 1] loose items in a slot


def seated(lib: Standard, load: Array, wanted: Array, num_packs: int) -> Array:
    """The item in each slot, given the pack that each is wanted in, or ``num_packs`` where any will do.

    Of those wanted in one pack the first get its slots. All others go round by round, the heaviest of them to the
    lightest pack that has a slot left, the next to the next: [rows, items].
    """
    xp = lib.xp
    rows, items = load.shape
    capacity = items // num_packs
    runs = runs_of(lib, wanted, num_packs + 1)
    rank = lib.arange_like(wanted) - lib.take_along_axis(runs.first, runs.owner)
    fits = (runs.owner < num_packs) & (rank < capacity)
    nobodys = xp.full_like(wanted[:, :1], items)
    slot = xp.where(fits, runs.owner * capacity + rank, items)
    empty = xp.broadcast_to(nobodys, (rows, items + 1))
    item = lib.put_along_axis(empty, slot, runs.order)
    slot_load = xp.where(item < items, lib.take_along_axis(load, xp.where(item < items, item, 0)), 0.0)
    used = xp.clip(runs.length[:, :num_packs], None, capacity)
    pack_load = slot_sum(lib, xp.reshape(slot_load[:, :items], (rows, num_packs, capacity)))

    is_seated = lib.put_along_axis(wanted, runs.order, xp.astype(fits, lib.index_dtype)) > 0
    each = lib.arange_like(load)
    _, loose = lib.sort_rows(xp.where(is_seated, 0.0, load), xp.where(is_seated, each + items, each), descending=True)
    loose = xp.concat([loose % items, loose[:, :num_packs] % items], axis=-1)
    number = count(lib, ~is_seated)

    def unfinished(state: _Seating) -> Array:
        return xp.any(state.placed < number)

    def one_each(state: _Seating) -> _Seating:
        is_open = state.used < capacity
        _, pack = lib.sort_rows(xp.where(is_open, state.load, float("inf")), lib.arange_like(state.used))
        used, is_open = (lib.take_along_axis(x, pack) for x in (state.used, is_open))
        chosen = lib.take_along_axis(loose, state.placed + lib.arange_like(pack))
        slot = xp.where(is_open, pack * capacity + used, items)
        more = xp.where(is_open, lib.take_along_axis(load, chosen), 0.0)
        return _Seating(
            lib.put_along_axis(state.item, slot, chosen),
            lib.put_along_axis(state.used, pack, xp.where(is_open, used + 1, used)),
            lib.put_along_axis(state.load, pack, lib.take_along_axis(state.load, pack) + more),
            state.placed + count(lib, is_open),
        )

    start = _Seating(item, used, pack_load, xp.zeros_like(number))
    return lib.while_loop(unfinished, one_each, start).item[:, :items]
