"""Which copy each slot takes: one of the GPU that has sent least so far, slots of fewest choices first."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import count
from eplb_xp.algorithms.runs import runs_of
from eplb_xp.algorithms.transfers.copies import Copies, cheapest
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Chosen(NamedTuple):
    """The copy that each slot takes, and what GPUs send."""

    copy: Array  # [layers, replicas]
    sent: Array  # [layers, gpus] to other GPUs


class _Choosing(NamedTuple):
    chosen: Chosen
    turn: Array  # [layers, 1] slots that have chosen


def sent_by(lib: Standard, gpu: Array, is_sent: Array, num_gpus: int) -> Array:
    """How many slots each GPU sends to, given who sends to each [layers, replicas]: [layers, gpus]."""
    return runs_of(lib, lib.xp.where(is_sent, gpu, num_gpus), num_gpus + 1).length[:, :num_gpus]


def chosen(lib: Standard, copies: Copies, is_sent: Array, num_gpus: int) -> Chosen:
    """One copy after the other where several GPUs are equally near; else the only GPU's first."""
    xp = lib.xp
    is_open = copies.gpus > 1  # not the own one, which would be alone
    first = xp.where(copies.begin < copies.end, copies.begin, 0)
    settled = sent_by(lib, lib.take_along_axis(copies.gpu, first), is_sent & ~is_open, num_gpus)
    choices = xp.where(is_open, copies.gpus, num_gpus + 1)
    _, order = lib.sort_rows(xp.astype(choices, xp.float32), lib.arange_like(choices))
    number = count(lib, is_open)

    def unfinished(now: _Choosing) -> Array:
        return xp.any(now.turn < number)

    def choose_one(now: _Choosing) -> _Choosing:
        (copy, sent), turn = now
        slot = lib.take_along_axis(order, turn)
        taken = cheapest(lib, copies, slot, lib.take_along_axis(sent, copies.gpu))
        chooses = turn < number
        copy = lib.put_along_axis(copy, slot, xp.where(chooses, taken, lib.take_along_axis(copy, slot)))
        sender = lib.take_along_axis(copies.gpu, taken)
        sends = chooses & (lib.arange_like(sent) == sender)
        return _Choosing(Chosen(copy, sent + xp.astype(sends, lib.index_dtype)), turn + 1)

    return lib.while_loop(unfinished, choose_one, _Choosing(Chosen(first, settled), xp.zeros_like(number))).chosen
