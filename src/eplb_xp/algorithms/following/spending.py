"""Moves divided among layers, so that their busiest GPUs together have least: exactly, one layer after the other."""

from typing import NamedTuple

from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Spent(NamedTuple):
    """What the layers so far have at least, and how that is had."""

    least: Array  # [batch, moves] in all, with at most so many moves
    choice: Array  # [batch, layers, moves] how many of them the last of the layers so far makes


class _Left(NamedTuple):
    """Moves for the layers before, and what those after make."""

    left: Array  # [batch, 1]
    made: Array  # [batch, layers]


def spend(lib: Standard, total: Array, busiest: Array) -> tuple[Array]:
    """How many moves each layer makes, of so many in all [..., 1], given its busiest GPU [..., layers, marks]."""
    xp = lib.xp
    *front, layers, marks = busiest.shape
    if layers == 0:
        return (xp.zeros_like(busiest[..., 0], dtype=lib.index_dtype),)
    load = xp.reshape(busiest, (-1, layers, marks))
    most = layers * (marks - 1)
    total = xp.clip(xp.astype(xp.reshape(total, (-1, 1)), lib.index_dtype), 0, most)
    moves, mark = lib.arange(most + 1, total), lib.arange(marks, total)
    before = moves[:, None] - mark[None, :]
    at = xp.reshape(xp.clip(before, 0, None), (-1,))
    layer = lib.arange(layers, total)[None, :]

    def one_layer(number: Array, spent: _Spent) -> _Spent:
        its = load[:, number, :][:, None, :]
        in_all = xp.reshape(lib.take(spent.least, at, axis=1), (-1, most + 1, marks)) + its
        in_all = xp.where(before >= 0, in_all, float("inf"))
        choice = xp.reshape(lib.argmin(xp.reshape(in_all, (-1, marks))), (-1, most + 1))
        here = layer[:, :, None] == number
        return _Spent(xp.min(in_all, axis=-1), xp.where(here, choice[:, None, :], spent.choice))

    def one_back(number: Array, now: _Left) -> _Left:
        here = layer == layers - 1 - number
        its = xp.max(xp.where(here[:, :, None], spent.choice, 0), axis=1)
        made = lib.take_along_axis(its, now.left)
        return _Left(now.left - made, xp.where(here, made, now.made))

    none = xp.zeros_like(load[:, 0, :1])
    first = _Spent(
        xp.broadcast_to(none, (load.shape[0], most + 1)),
        xp.broadcast_to(xp.zeros_like(total)[:, :, None], (load.shape[0], layers, most + 1)),
    )
    spent = lib.fori_loop(0, layers, one_layer, first, unrolls=False)
    made = xp.broadcast_to(xp.zeros_like(total), (load.shape[0], layers))
    left = lib.fori_loop(0, layers, one_back, _Left(total, made), unrolls=False)
    return (xp.reshape(left.made, (*front, layers)),)
