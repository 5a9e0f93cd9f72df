"""From one plan to the next: where the weights of each slot come from, and what each GPU receives and sends."""

from eplb_xp.algorithms.maps import looked_up
from eplb_xp.algorithms.transfers.balancing import balanced
from eplb_xp.algorithms.transfers.choosing import chosen, sent_by
from eplb_xp.algorithms.transfers.copies import nearest
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array, Moves


def moves(lib: Standard, previous: Array, phy2log: Array, *, num_gpus: int, num_nodes: int) -> Moves[Array]:
    """The transfers; a slot of the previous plan is empty where its entry is no expert's."""
    xp = lib.xp
    layers, slots = phy2log.shape
    phy2log = looked_up(lib, phy2log, slots)
    previous = xp.astype(previous, lib.index_dtype)
    previous = xp.where((previous >= 0) & (previous < slots), previous, slots)

    copies = nearest(lib, previous, phy2log, num_gpus, num_nodes)
    gpu = lib.arange_like(phy2log) // (slots // num_gpus)
    is_held = copies.gpus > 0
    is_sent = is_held & (lib.take_along_axis(copies.gpu, xp.where(is_held, copies.begin, 0)) != gpu)
    sending = balanced(lib, copies, chosen(lib, copies, is_sent, num_gpus))

    source = xp.where(is_held, lib.take_along_axis(copies.slot, sending.copy), -1)
    sender = lib.take_along_axis(copies.gpu, sending.copy)
    node = num_gpus // num_nodes
    received = xp.reshape(is_sent | ~is_held, (layers, num_gpus, slots // num_gpus))
    nobody = xp.zeros_like(xp.concat([phy2log, phy2log[:, :1]], axis=-1))
    used = lib.put_along_axis(nobody, xp.where(is_held, source, slots), xp.ones_like(source))[:, :slots]
    return Moves(
        source,
        xp.count_nonzero(received, axis=-1),
        sending.sent,
        sent_by(lib, sender, is_sent & (sender // node != gpu // node), num_gpus),
        (used > 0) & (previous != phy2log),
    )
