"""Counts of slots, which become counts of experts by the map under which they were counted."""

from typing import Any

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError, check_counts, matrix
from eplb_xp.formats.loads.recorded import Recorded
from eplb_xp.maps import expert_loads


def checked_map(name: str, value: Any) -> Numbers:
    """The expert in each slot, [layers, slots], -1 where one is empty; there are no more experts than slots."""
    phy2log = matrix(name, value, "iu", "[layers, slots]").astype(np.int64)
    slots, least, most = phy2log.shape[1], int(phy2log.min()), int(phy2log.max())
    if least < -1 or not 0 <= most < slots:
        raise UnfitError(
            f"{name} must hold experts from 0, fewer than the {slots} slots, or -1, got numbers from {least} to {most}"
        )
    return phy2log


def of_experts(name: str, slot_load: Any, phy2log: Numbers, num_experts: int) -> Numbers:
    """Loads [layers, experts] of counts [layers, slots]."""
    counts = matrix(name, slot_load, "iuf", "[layers, slots]")
    if counts.shape != phy2log.shape:
        raise UnfitError(f"{name} has shape {counts.shape}, and its map of slots {phy2log.shape}")
    check_counts(name, counts, "slot")
    return expert_loads(counts.astype(np.int64) if counts.dtype.kind in "iu" else counts, phy2log, num_experts)


def folded(recorded: Recorded, phy2log: Numbers) -> Recorded:
    """Counts [steps, layers, slots] or [steps, layers, gpus, slots of a GPU] of this map, as loads of experts."""
    phy2log = checked_map("the map", phy2log)
    layers, slots = phy2log.shape
    experts = int(phy2log.max()) + 1
    first = recorded.step(0)
    if first.shape == (layers, slots):
        number, counts = recorded.num_steps, recorded.step
    elif first.size == slots and recorded.num_steps % layers == 0:  # what was taken for a step is a layer
        number = recorded.num_steps // layers

        def counts(step: int) -> Numbers:
            return np.stack([recorded.step(step * layers + layer).ravel() for layer in range(layers)])

    else:
        raise UnfitError(
            f"counts of slots must be [steps, {layers} layers, {slots} slots], as the map, perhaps with GPUs and their "
            f"slots as two axes, got {recorded.num_steps} of {first.shape}"
        )
    return Recorded(number, layers, lambda step: of_experts("a step", counts(step), phy2log, experts))
