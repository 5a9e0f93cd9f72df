"""Slots take from other GPUs that are as near, until the busiest sender sends no more than it must.

The busiest GPU gives a slot to another sender, which gives one of its own to the next, and the last one sends at least
two less than the busiest. Where no such chain begins at a busiest GPU, those that chains from it lead to send as much
as it does or one less, and nobody else can send to their slots: one of them must send as much, whatever is chosen.
"""

from typing import NamedTuple

from eplb_xp.algorithms.transfers.choosing import Chosen
from eplb_xp.algorithms.transfers.copies import MOST, Copies, cheapest, within
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Balancing(NamedTuple):
    chosen: Chosen
    goes_on: Array  # [layers, 1]


class _Search(NamedTuple):
    """How many links chains have from each GPU to one that may send more; as many as GPUs where none is known."""

    links: Array  # [layers, gpus]
    number: Array  # [] of links that were looked for
    goes_on: Array  # [layers, 1]


class _Chain(NamedTuple):
    chosen: Chosen
    gpu: Array  # [layers, 1] that gives a slot away
    left: Array  # [layers, 1] links


def balanced(lib: Standard, copies: Copies, start: Chosen) -> Chosen:
    """What GPUs send when the busiest sends as little as it can."""
    xp = lib.xp
    is_open = copies.gpus > 1

    def unfinished(now: _Balancing) -> Array:
        return xp.any(now.goes_on)

    def one_chain(now: _Balancing) -> _Balancing:
        links = _links(lib, copies, is_open, now)
        busiest = xp.where(_is_busiest(lib, now.chosen), links, links.shape[-1])
        gpu = lib.argmin(busiest)
        left = lib.take_along_axis(busiest, gpu)
        found = now.goes_on & (left < links.shape[-1])
        chain = _Chain(now.chosen, gpu, xp.where(found, left, 0))
        return _Balancing(_passed_on(lib, copies, is_open, links, chain), found)

    return lib.while_loop(unfinished, one_chain, _Balancing(start, xp.any(is_open, axis=-1, keepdims=True))).chosen


def _is_busiest(lib: Standard, chosen: Chosen) -> Array:
    return chosen.sent == lib.xp.max(chosen.sent, axis=-1, keepdims=True)


def _links(lib: Standard, copies: Copies, is_open: Array, now: _Balancing) -> Array:
    """Links of the shortest chains, until one from a busiest GPU is found."""
    xp = lib.xp
    copy, sent = now.chosen
    num_gpus = sent.shape[-1]
    is_busiest = _is_busiest(lib, now.chosen)
    sender = xp.where(is_open, lib.take_along_axis(copies.gpu, copy), num_gpus)
    nobody = xp.zeros_like(xp.concat([sent, sent[:, :1]], axis=-1))

    def unfinished(search: _Search) -> Array:
        return xp.any(search.goes_on)

    def one_more(search: _Search) -> _Search:
        links, number, goes_on = search
        is_known = lib.take_along_axis(links, copies.gpu) < num_gpus
        gives = xp.where(within(lib, is_known, copies) > 0, sender, num_gpus)
        is_new = (lib.put_along_axis(nobody, gives, xp.ones_like(gives))[:, :num_gpus] > 0) & (links == num_gpus)
        is_new = is_new & goes_on
        goes_on = xp.any(is_new, axis=-1, keepdims=True) & ~xp.any(is_new & is_busiest, axis=-1, keepdims=True)
        return _Search(xp.where(is_new, number + 1, links), number + 1, goes_on)

    may_send = now.goes_on & (sent < xp.max(sent, axis=-1, keepdims=True) - 1)
    links = xp.where(may_send, xp.zeros_like(sent), num_gpus)
    start = _Search(links, lib.arange(1, sent)[0], xp.any(may_send, axis=-1, keepdims=True))
    return lib.while_loop(unfinished, one_more, start).links


def _passed_on(lib: Standard, copies: Copies, is_open: Array, links: Array, start: _Chain) -> Chosen:
    """What GPUs send after each of a chain has given a slot to the next."""
    xp = lib.xp
    its_links = lib.take_along_axis(links, copies.gpu)

    def unfinished(chain: _Chain) -> Array:
        return xp.any(chain.left > 0)

    def pass_one(chain: _Chain) -> _Chain:
        (copy, sent), gpu, left = chain
        is_next = its_links < left
        gives = is_open & (lib.take_along_axis(copies.gpu, copy) == gpu) & (within(lib, is_next, copies) > 0)
        slot = lib.argmin(xp.astype(~gives, lib.index_dtype))
        taken = cheapest(lib, copies, slot, xp.where(is_next, lib.take_along_axis(sent, copies.gpu), MOST))
        passes = left > 0
        copy = lib.put_along_axis(copy, slot, xp.where(passes, taken, lib.take_along_axis(copy, slot)))
        other = lib.take_along_axis(copies.gpu, taken)
        number = lib.arange_like(sent)
        more = xp.astype(number == other, lib.index_dtype) - xp.astype(number == gpu, lib.index_dtype)
        sent = xp.where(passes, sent + more, sent)
        return _Chain(Chosen(copy, sent), other, xp.where(passes, lib.take_along_axis(links, other), 0))

    return lib.while_loop(unfinished, pass_one, start).chosen
