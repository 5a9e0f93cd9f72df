"""Slots and experts, one slot after the other."""

from typing import Any

import numpy as np

from tests.support.library import NumPyArray


def listed(phy2log: NumPyArray, experts: int, width: int) -> tuple[NumPyArray, NumPyArray]:
    """Slot after slot; those that are too many are left out."""
    log2phy = np.full((len(phy2log), experts, width), -1)
    logcnt = np.zeros((len(phy2log), experts), np.int64)
    for layer, slots in enumerate(phy2log):
        for slot, expert in enumerate(slots):
            if 0 <= expert < experts and logcnt[layer, expert] < width:
                log2phy[layer, expert, logcnt[layer, expert]] = slot
                logcnt[layer, expert] += 1
    return log2phy, logcnt


def summed(slot_load: NumPyArray, phy2log: NumPyArray, experts: int) -> NumPyArray:
    """Slot after slot, in the dtype of the result."""
    dtype: Any = np.int64 if slot_load.dtype.kind in "iu" else np.float32
    total = np.zeros((*slot_load.shape[:-1], experts), dtype)
    if dtype is np.float32:
        slot_load = np.where(np.abs(slot_load) < 2.0**-126, 0, slot_load)
    for layer, slot in np.ndindex(phy2log.shape):
        if 0 <= phy2log[layer, slot] < experts:
            total[..., layer, phy2log[layer, slot]] += slot_load[..., layer, slot].astype(dtype)
    return total
