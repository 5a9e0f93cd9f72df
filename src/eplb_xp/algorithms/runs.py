"""Runs: entries of a row that belong together, one after the other."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import count_at_most
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Runs(NamedTuple):
    """The items of each row, those of an owner in a row, in their own order."""

    order: Array  # [rows, items] the items
    owner: Array  # [rows, items] what each of them belongs to
    first: Array  # [rows, owners] where the run of each owner begins
    length: Array  # [rows, owners]


def runs_of(lib: Standard, owner: Array, owners: int) -> Runs:
    """The runs of items that belong to these [rows, items], from 0 up to, not including, ``owners``, ascending."""
    xp = lib.xp
    key, order = lib.sort_rows(xp.astype(owner, xp.float32), lib.arange_like(owner))
    ascending = xp.astype(key, lib.index_dtype)
    each = xp.broadcast_to(lib.arange(owners, owner), (owner.shape[0], owners))
    end = count_at_most(lib, ascending, each, owners)
    first = xp.concat([xp.zeros_like(end[:, :1]), end[:, :-1]], axis=-1)
    return Runs(order, ascending, first, end - first)


def run_max(lib: Standard, runs: Runs, values: Array, longest: int) -> Array:
    """The largest value of each run, none of which is longer: values [rows, items] in order of runs -> [rows, owners].

    A run that is empty has the value of the one behind it.
    """
    xp = lib.xp
    step = 1
    while step < longest:
        same = runs.owner[:, step:] == runs.owner[:, :-step]
        larger = xp.where(same, xp.maximum(values[:, :-step], values[:, step:]), values[:, :-step])
        values = xp.concat([larger, values[:, -step:]], axis=-1)
        step *= 2
    last = values.shape[-1] - 1
    return lib.take_along_axis(values, xp.where(runs.first < last, runs.first, last))


def run_sum(lib: Standard, runs: Runs, values: Array) -> Array:
    """The sum of each run: integers [rows, items] in order of runs -> [rows, owners]."""
    xp = lib.xp
    before = xp.cumulative_sum(values, axis=-1, dtype=lib.index_dtype)
    before = xp.concat([xp.zeros_like(before[:, :1]), before], axis=-1)
    return lib.take_along_axis(before, runs.first + runs.length) - lib.take_along_axis(before, runs.first)


def run_until(lib: Standard, runs: Runs, values: Array) -> Array:
    """The sum of each entry and those before it in its run: integers in order of runs, [rows, items]."""
    until = lib.xp.cumulative_sum(values, axis=-1, dtype=lib.index_dtype)
    before = lib.xp.concat([lib.xp.zeros_like(until[:, :1]), until], axis=-1)
    return until - of_owner(lib, lib.take_along_axis(before, runs.first), runs.owner)


def by_item(lib: Standard, runs: Runs, values: Array) -> Array:
    """Values in order of runs in the order of items again: [rows, items]."""
    return lib.put_along_axis(values, runs.order, values)


def of_owner(lib: Standard, values: Array, owner: Array, nobodys: int = 0) -> Array:
    """What each owner has [rows, owners], for each of these [rows, items]; nobody, behind the last, has ``nobodys``."""
    xp = lib.xp
    return lib.take_along_axis(xp.concat([values, xp.full_like(values[:, :1], nobodys)], axis=-1), owner)
