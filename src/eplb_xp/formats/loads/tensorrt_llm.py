"""TensorRT-LLM's statistics: a folder of ``meta_info.json`` and ``rank<r>.safetensors``."""

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from eplb_xp.formats.containers.tensors import safetensors
from eplb_xp.formats.fields import Numbers, UnfitError, listed, matrix, whole
from eplb_xp.formats.loads.recorded import Recorded, ranks_summed
from eplb_xp.formats.tables.placing import MOST

META = "meta_info.json"
RANK = re.compile(r"rank(\d{1,9})\.safetensors")
KEY = re.compile(r"(\d{1,9})_(\d{1,9})")


def recognises(folder: Path) -> bool:
    """A folder with the meta information."""
    return (folder / META).is_file()


def read(folder: Path, stack: ExitStack) -> Recorded:
    """All ranks summed, a step for each iteration of tensors ``<iteration>_<layer>``, layers by their numbers."""
    meta = json.loads((folder / META).read_text())
    if not isinstance(meta, dict):
        raise UnfitError(f"{META} must be an object")
    experts = whole("num_experts", meta.get("num_experts"), least=1)
    files = {int(found[1]): path for path in sorted(folder.iterdir()) if (found := RANK.fullmatch(path.name))}
    if not files:
        raise UnfitError("beside meta_info.json there must be rank0.safetensors and so on, and there is none")
    ranks = tuple(range(whole("ep_size", meta["ep_size"], least=1))) if "ep_size" in meta else None
    parts = [_of_rank(safetensors(path, stack), experts, rank, ranks) for rank, path in sorted(files.items())]
    return ranks_summed([path.name for path in files.values()], parts)


def _of_rank(tensors: Any, experts: int, rank: int, ranks: tuple[int, ...] | None) -> Recorded:
    names = [*tensors.keys()]
    places = {(int(found[1]), int(found[2])): name for name in names if (found := KEY.fullmatch(name))}
    if not places:
        raise UnfitError(
            f"rank{rank}.safetensors must have tensors such as 100_3, iteration and layer: {listed(names)}"
        )
    labels = tuple(sorted({iteration for iteration, _ in places}))
    layers = max(layer for _, layer in places) + 1
    if layers * experts > MOST:
        raise UnfitError(
            f"rank{rank}.safetensors has layer {layers - 1}, and {experts} experts: more than {MOST} loads"
        )

    def step(number: int) -> Numbers:
        load = np.zeros((layers, experts), np.int64)
        for (iteration, layer), name in places.items():
            if iteration == labels[number]:
                counts = matrix(name, tensors.get_tensor(name), "iu", "[experts]")
                if len(counts) != experts:
                    raise UnfitError(f"{name} of rank {rank} has {len(counts)} experts, and {META} says {experts}")
                load[layer] = counts
        return load

    return Recorded(len(labels), layers, step, labels, rank, ranks)
