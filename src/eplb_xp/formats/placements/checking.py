"""What every map of a serving engine must be, whichever engine it is for."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError, matrix, whole
from eplb_xp.formats.placements.placement import Placement

AXES = "[layers, slots]"


def checked(name: str, value: Any) -> Numbers:
    """The expert in each slot: [layers, slots] int64, numbers from 0."""
    phy2log = matrix(name, value, "iu", AXES)
    if phy2log.min() < 0 or phy2log.max() >= phy2log.shape[1]:
        raise UnfitError(
            f"{name} must hold experts from 0, fewer than its {phy2log.shape[1]} slots, got numbers from "
            f"{phy2log.min()} to {phy2log.max()}"
        )
    return phy2log.astype(np.int64)


def by_layers(name: str, rows: Any, size: int, num_slots: Any = None) -> Placement:
    """A map of layers' numbers, as numbers or as texts, to the experts in their slots, of a file of so many bytes."""
    if not isinstance(rows, Mapping) or not rows:
        raise UnfitError(f"{name} must be a map of layers to lists of experts, at least one")
    if not all(isinstance(row, list) for row in rows.values()):
        raise UnfitError(f"{name} must have a list of experts for every layer")
    if sum(map(len, rows.values())) > size:  # a number takes a byte; what YAML repeats by reference takes none
        raise UnfitError(f"{name} repeats lists by reference, to more numbers than the file has bytes")
    numbers = [int(layer) if isinstance(layer, str) and layer.isdecimal() else layer for layer in rows]
    order = np.argsort([whole(f"a layer of {name}", number) for number in numbers])
    if len({*numbers}) != len(numbers):
        raise UnfitError(f"{name} has a layer twice")
    phy2log = checked(name, [*rows.values()])[order]
    if num_slots is not None and whole("num_slots", num_slots) != phy2log.shape[1]:
        raise UnfitError(f"num_slots is {num_slots}, and {name} has {phy2log.shape[1]} slots a layer")
    return Placement(phy2log, layer_numbers=np.array(numbers)[order])


def check_complete(placement: Placement) -> int:
    """The number of experts, once every layer is known to have all of them."""
    phy2log = placement.phy2log
    if phy2log.size == 0:
        raise UnfitError(f"there must be at least one layer and slot, got shape {phy2log.shape}")
    least, most, slots = int(phy2log.min()), int(phy2log.max()), phy2log.shape[1]
    experts = most + 1 if placement.num_experts is None else placement.num_experts
    if least < 0 or not most < experts <= slots:
        raise UnfitError(
            f"a layer of {slots} slots has at most as many experts, numbered from 0, got numbers from {least} to "
            f"{most} of {experts} experts"
        )
    for layer, row in enumerate(phy2log):
        missing = np.setdiff1d(np.arange(experts), row)
        if missing.size:
            raise UnfitError(
                f"layer {layer} has no slot for {missing.size} of its {experts} experts, the first of them "
                f"{missing[0]}: no engine could serve it"
            )
    return experts


def by_gpu(placement: Placement, engine: str) -> Numbers:
    """The slots of each GPU, [layers, gpus, slots of a GPU]; no GPU may hold an expert twice."""
    layers, slots = placement.phy2log.shape
    gpus = placement.num_gpus
    if gpus is None:
        raise UnfitError(f"{engine}'s maps have a list for each GPU: num_gpus must say how many there are")
    if gpus < 1 or slots % gpus:
        raise UnfitError(f"num_gpus must divide the {slots} slots, got {gpus}")
    held = placement.phy2log.reshape(layers, gpus, -1)
    ordered = np.sort(held, axis=2)
    twice = np.argwhere(ordered[:, :, 1:] == ordered[:, :, :-1])
    if twice.size:
        layer, gpu, place = twice[0]
        raise UnfitError(
            f"{engine} takes no map in which a GPU holds an expert twice, as GPU {gpu} of layer {layer} does expert "
            f"{ordered[layer, gpu, place]}: other policies than greedy avoid it"
        )
    return held
