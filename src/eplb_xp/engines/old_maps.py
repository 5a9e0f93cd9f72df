"""The placement that an engine has in use, made one that a plan can follow."""

from typing import Any

import numpy as np

from eplb_xp.algorithms.following.cleaning import kept
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.sizes import Sizes


def fitted(old: "np.ndarray[Any, Any] | None", layers: int, num_replicas: int) -> "np.ndarray[Any, Any] | None":
    """The old map [layers, replicas] of a plan: cut, or with empty slots (-1) behind it, where GPUs come or go.

    None where there is none, or one of other layers, of which nothing can be kept.
    """
    if old is None or old.ndim != 2 or len(old) != layers or old.dtype.kind not in "iu":
        return None
    fits = np.full((layers, num_replicas), -1, np.int64)
    width = min(old.shape[1], num_replicas)
    fits[:, :width] = old[:, :width]
    return fits


def cleaned(old: "np.ndarray[Any, Any]", experts: int, sizes: Sizes) -> "np.ndarray[Any, Any]":
    """The same with what can't stay as empty slots: what is no expert, and what is on another node than its group."""
    expert = LIBRARY.run(kept, old, experts=experts, sizes=sizes).expert
    return np.where(expert < experts, expert, -1)


def is_complete(old: "np.ndarray[Any, Any]", experts: int) -> bool:
    """Whether every slot has an expert, and every expert a slot."""
    if ((old < 0) | (old >= experts)).any():
        return False
    there = np.zeros((len(old), experts), dtype=bool)
    there[np.arange(len(old))[:, None], old] = True
    return bool(there.all())
