"""vLLM's expert map of PR 14544: a tensor [layers, ranks, experts] in .pth, the slot of an expert on a rank, or -1."""

from pathlib import Path
from typing import Any

import numpy as np

from eplb_xp.formats.containers.tensors import of_torch
from eplb_xp.formats.fields import UnfitError, matrix
from eplb_xp.formats.placements.checking import by_gpu, check_complete
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.source import Kind, Source

ENDINGS = (".pth", ".pt")


def recognises(source: Source) -> bool:
    """A tensor by itself."""
    return source.kind == Kind.pt and not isinstance(source.tensors, dict)


def has_gaps(source: Source) -> bool:
    """Whether it says -1, as a map does where a rank has not all experts."""
    places = of_torch().array(source.tensors)
    return isinstance(places, np.ndarray) and places.dtype.kind == "i" and bool((places < 0).any())


def read(source: Source) -> Placement:
    """The map, and how many ranks there are."""
    places = matrix("the tensor", of_torch().array(source.tensors), "iu", "[layers, ranks, experts]")
    layers, ranks, experts = places.shape
    slots = int(np.count_nonzero(places[0, 0] >= 0))
    layer, rank, expert = np.nonzero(places >= 0)
    here = places[layer, rank, expert].astype(np.int64)
    phy2log = np.full((layers, ranks, slots), -1, np.int64)
    if slots == 0 or here.max() >= slots or len(here) != phy2log.size:
        raise UnfitError(f"every rank must hold {slots} experts, as rank 0 of layer 0 does, in slots 0 to {slots - 1}")
    phy2log[layer, rank, here] = expert
    if phy2log.min() < 0:
        raise UnfitError("two experts are in one slot")
    return Placement(phy2log.reshape(layers, -1), num_gpus=ranks, num_experts=experts)


def write(path: Path, placement: Placement) -> None:
    """The tensor, int32."""
    held = by_gpu(placement, "vLLM")
    places: Any = np.full((*held.shape[:2], check_complete(placement)), -1, np.int32)
    np.put_along_axis(places, held, np.arange(held.shape[2], dtype=np.int32)[None, None], axis=2)
    of_torch().write(str(path), places)
