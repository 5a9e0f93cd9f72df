"""What a reader of loads yields: how many steps there are, and each of them when it is asked for."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from eplb_xp.formats.containers.npy import Steps
from eplb_xp.formats.fields import Numbers, UnfitError, check_counts, listed
from eplb_xp.formats.loads.trace_fields import Fields


class Recorded(NamedTuple):
    """Loads of a file, a step at a time, so that no more of them is in memory."""

    num_steps: int
    num_layers: int
    step: Callable[[int], Numbers]  # [layers, experts] of integers or floats
    labels: tuple[int, ...] | None = None  # of each step: its forward pass or iteration, the same on all ranks
    rank: int | None = None  # whose tokens were counted, if not everyone's
    ranks: tuple[int, ...] | None = None  # all those whose counts belong together
    fields: Fields | None = None  # what else the file says


def of_array(load: Numbers | Steps) -> Recorded:
    """Loads [layers, experts], or with time or domain before."""
    if load.dtype.kind not in "iuf":
        raise UnfitError(f"loads must be integers or real floats, got dtype {load.dtype}")
    shape = tuple(load.shape)
    if len(shape) < 2:
        raise UnfitError(f"loads must be [layers, experts], perhaps with time or domain before, got shape {shape}")
    if 0 in shape:
        raise UnfitError(f"there must be at least one step, layer and expert, got shape {shape}")
    if isinstance(load, Steps):
        if not load.head.is_fortran:
            return Recorded(int(np.prod(shape[:-2], dtype=np.int64)), shape[-2], load.__getitem__)
        load = load.all()
    by_step = load.reshape(-1, *shape[-2:])
    return Recorded(len(by_step), shape[-2], by_step.__getitem__)


def ranks_summed(names: Sequence[str], parts: Sequence[Recorded]) -> Recorded:
    """The tokens of all ranks, in the steps that all of them have; layers that a rank hasn't are zero there."""
    _check_ranks(names, parts)
    labelled = [range(part.num_steps) if part.labels is None else part.labels for part in parts]
    common = sorted(set.intersection(*map(set, labelled)))
    if not common:
        raise UnfitError(f"no step is in all of the {len(parts)} files of ranks: {listed(names)}")
    places = [{label: place for place, label in enumerate(labels)} for labels in labelled]

    def step(number: int) -> Numbers:
        each = [part.step(its[common[number]]) for part, its in zip(parts, places, strict=True)]
        layers, experts = np.max([load.shape for load in each], axis=0)
        total = np.zeros((layers, experts), np.result_type(*each, np.int64))
        for name, load in zip(names, each, strict=True):
            check_counts(name, load, "expert")
            total[: load.shape[0], : load.shape[1]] += load
        return total

    return Recorded(len(common), max(part.num_layers for part in parts), step, tuple(common))


def _check_ranks(names: Sequence[str], parts: Sequence[Recorded]) -> None:
    """Refuse a rank that is there twice, or not at all."""
    found = Counter(part.rank for part in parts if part.rank is not None)
    for rank, number in found.items():
        if number > 1:
            twice = [name for name, part in zip(names, parts, strict=True) if part.rank == rank]
            raise UnfitError(f"rank {rank} is there {number} times, and is to be summed once: {listed(twice)}")
    wanted = {rank for part in parts for rank in part.ranks or ()}
    missing = sorted(wanted - set(found))
    if missing:
        raise UnfitError(f"{len(wanted)} ranks are to be summed, and the folder lacks {listed(missing)}")
