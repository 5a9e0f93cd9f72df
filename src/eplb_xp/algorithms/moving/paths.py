"""Paths from free tasks back to the roots of their trees, one in each tree."""

from typing import NamedTuple

from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class _Walk(NamedTuple):
    """Where the paths are, and where they have been."""

    at: Array  # [rows, tasks] a task of each path, or the number of tasks
    been: Array  # [rows, tasks + 1]


def first_of_trees(lib: Standard, tree: Array) -> Array:
    """The first task of each tree, given the tree of each task, anywhere in a row: [rows, tasks].

    The number of tasks stands for no tree and for no task.
    """
    xp = lib.xp
    none = tree.shape[-1]
    key, task = lib.sort_rows(xp.astype(tree, xp.float32), lib.arange_like(tree))
    is_first = xp.concat([xp.ones_like(key[:, :1], dtype=xp.bool), key[:, 1:] > key[:, :-1]], axis=-1)
    return xp.where(is_first & (key < none), task, none)


def on_paths(lib: Standard, end: Array, before: Array) -> Array:
    """Whether each task is on a path, given where these end and the task before each one: [rows, tasks].

    The number of tasks stands for none.
    """
    xp = lib.xp
    none = before.shape[-1]
    before = xp.concat([before, xp.full_like(before[:, :1], none)], axis=-1)

    def unfinished(walk: _Walk) -> Array:
        return xp.any(walk.at < none)

    def back(walk: _Walk) -> _Walk:
        been = lib.put_along_axis(walk.been, walk.at, xp.ones_like(walk.at))
        return _Walk(lib.take_along_axis(before, walk.at), been)

    return lib.while_loop(unfinished, back, _Walk(end, xp.zeros_like(before))).been[:, :none] > 0
