"""GPUs of a new plan called as GPUs of the previous one, so that fewest experts move."""

from typing import NamedTuple

from eplb_xp.algorithms.moving.copies import copies
from eplb_xp.algorithms.moving.keeping import keep_slots
from eplb_xp.algorithms.moving.labels import labels
from eplb_xp.algorithms.moving.overlaps import overlaps
from eplb_xp.algorithms.rows import put_rows, take_rows
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Turn(NamedTuple):
    """The labels so far, and whose turn it is."""

    label: Array  # [layers, gpus]
    first: Array  # [] the first layer without


def relabelled(lib: Standard, phy2log: Array, previous: Array, *, num_gpus: int, num_nodes: int) -> Array:
    """The plan with its GPUs, and the slots of each, in an order in which fewest slots get another expert.

    GPUs of a node stay together. Both plans are [layers, slots]; in the previous one -1 is a slot that held nothing.
    """
    label = _labels_in_turns(lib, copies(lib, phy2log, num_gpus), copies(lib, previous, num_gpus), num_nodes)
    capacity = phy2log.shape[1] // num_gpus
    slot = lib.arange_like(phy2log)
    place = lib.take_along_axis(label, slot // capacity) * capacity + slot % capacity
    return keep_slots(lib, lib.put_along_axis(phy2log, place, phy2log), previous, num_gpus)


def _labels_in_turns(lib: Standard, now: Array, before: Array, num_nodes: int) -> Array:
    """What to call each GPU, some layers at a time, since pairs of GPUs are many: [layers, gpus]."""
    xp = lib.xp
    layers, _, num_gpus = now.shape
    start = _Turn(xp.zeros_like(now[:, 0, :]), lib.arange(1, now)[0])
    if layers == 0:
        return start.label
    turns = -(-layers * num_gpus**2 // lib.slots_at_once)
    at_once = -(-layers // min(turns, layers))
    layer = lib.arange(layers, now)

    def unfinished(turn: _Turn) -> Array:
        return turn.first < layers

    def label_some(turn: _Turn) -> _Turn:
        some = xp.clip(turn.first + lib.arange(at_once, now), None, layers - 1)
        found = labels(lib, overlaps(lib, take_rows(lib, now, some), take_rows(lib, before, some)), num_nodes)
        return _Turn(put_rows(lib, turn.label, found, layer - turn.first, at_once), turn.first + at_once)

    return lib.while_loop(unfinished, label_some, start).label
