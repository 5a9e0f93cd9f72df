"""Which plans are rings: each expert's GPUs are neighbours, and no two experts have the same pair of neighbours.

A ring may be all GPUs or a node's, all of one size, and may have gaps. An expert's GPUs are its stretch.
"""

from typing import NamedTuple

from eplb_xp.algorithms.runs import Runs, by_item, run_max, run_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Stretches(NamedTuple):
    """The rings of each layer."""

    start: Array  # [layers, experts] the first GPU of the stretch of each expert, or -1 where it has one holder
    size: Array  # [layers, 1] GPUs of a ring, or 0 where the layer is none


def following(gpu: Array, size: Array, steps: int | Array = 1) -> Array:
    """The GPU so many steps further on its ring of this size."""
    return gpu // size * size + (gpu % size + steps) % size


def stretches(lib: Standard, runs: Runs, num_gpus: int) -> Stretches:
    """The stretch of each expert, where all GPUs of the layer are on rings."""
    xp = lib.xp
    experts = runs.length.shape[-1]
    several = runs.length > 1
    gpu = runs.order % num_gpus
    size = _ring_size(lib, runs, gpu, num_gpus)

    # For each holder the next one of its expert, behind the last the first.
    owner = xp.where(runs.owner < experts, runs.owner, 0)
    first, length = (lib.take_along_axis(x, owner) for x in (runs.first, runs.length))
    place = lib.arange_like(gpu) - first
    links = (runs.owner < experts) & (length > 1)
    succeeding = lib.take_along_axis(gpu, xp.where(links, first + (place + 1) % length, 0))
    links = links & (succeeding == following(gpu, size))
    breaks = runs.length - run_sum(lib, runs, xp.astype(links, lib.index_dtype))
    longest = min(num_gpus, runs.order.shape[-1])
    start = run_max(lib, runs, xp.where(links, -1, succeeding), longest)
    # One that is on the whole ring begins behind a pair that is another's.
    in_full = several & (breaks == 0)
    full_link = links & lib.take_along_axis(in_full, owner)
    others = _per_gpu(lib, runs, links & ~full_link, num_gpus)
    behind = xp.where(lib.take_along_axis(others, gpu) > 0, succeeding, -1)
    start = xp.where(in_full, run_max(lib, runs, behind, longest), start)
    start = xp.where(in_full & (start < 0), lib.take_along_axis(gpu, xp.where(several, runs.first, 0)), start)
    goes = links & (succeeding != lib.take_along_axis(start, owner))
    is_ring = xp.all((breaks <= 1) | ~several, axis=-1, keepdims=True)
    is_ring = is_ring & xp.all(_per_gpu(lib, runs, goes, num_gpus) <= 1, axis=-1, keepdims=True)
    return Stretches(xp.where(several & is_ring, start, -1), xp.where(is_ring, size, 0))


def _ring_size(lib: Standard, runs: Runs, gpu: Array, num_gpus: int) -> Array:
    """The fewest GPUs into sets of which they divide, neighbours together, without an expert in two: [layers, 1]."""
    xp = lib.xp
    sizes = lib.constant([size for size in range(1, num_gpus + 1) if num_gpus % size == 0], gpu)[None, None, :]
    last_slot = gpu.shape[-1] - 1
    ends = (runs.first, runs.first + runs.length - 1)
    low, high = (lib.take_along_axis(gpu, xp.clip(end, 0, last_slot))[:, :, None] for end in ends)
    splits = xp.any((low // sizes != high // sizes) & (runs.length > 0)[:, :, None], axis=1)
    fewest = lib.argmin(xp.astype(splits, lib.index_dtype))
    return lib.take_along_axis(xp.broadcast_to(sizes[0, :, :], splits.shape), fewest)


def _per_gpu(lib: Standard, runs: Runs, condition: Array, num_gpus: int) -> Array:
    """On how many slots of each GPU a condition holds, given in order of runs: [layers, gpus]."""
    layers, slots = runs.order.shape
    return lib.xp.count_nonzero(
        lib.xp.reshape(by_item(lib, runs, condition), (layers, slots // num_gpus, num_gpus)), axis=1
    )
