"""Arrays by themselves or under a name: SGLang's recorder in mode stat, anyone's."""

from collections.abc import Callable
from typing import Any

import numpy as np

from eplb_xp.formats.containers.npy import Steps
from eplb_xp.formats.containers.tensors import of_torch
from eplb_xp.formats.fields import NAMES, Numbers, UnfitError, name_of_loads
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Kind, Source
from eplb_xp.formats.tables.plain import plain

TENSOR = "a tensor, or a dict with one under 'load' or 'logical_count'"


def recognises(source: Source, _: Options) -> bool:
    """Any file of arrays that is nothing else."""
    return source.kind in {Kind.npy, Kind.npz, Kind.pt}


def read(source: Source, options: Options) -> Recorded:
    """The array, the one under ``load`` or ``logical_count``, or the only one beside texts."""
    return plain(of_array(FINDERS[source.kind](source)), options.index_column)


def _of_npy(source: Source) -> Steps:
    return Steps(source.file, source.header, source.size)


def _of_npz(source: Source) -> Steps:
    archive = source.archive
    found = [*archive]
    if not set(NAMES) & set(found):
        found = [name for name in found if archive.head(name).dtype.kind not in "US"]
        if len(found) == 1:
            return archive.steps(found[0])
    return archive.steps(name_of_loads(found, "an array 'load' or 'logical_count', or only one array beside texts"))


def _of_pt(source: Source) -> Numbers:
    content: Any = source.tensors
    if isinstance(content, dict):
        content = content[name_of_loads(content, "a tensor 'load' or 'logical_count'")]
    content = of_torch().array(content)
    if not isinstance(content, np.ndarray):
        raise UnfitError(f"there must be {TENSOR}, got {type(content).__name__}")
    return content


FINDERS: dict[Kind, Callable[[Source], Numbers | Steps]] = {Kind.npy: _of_npy, Kind.npz: _of_npz, Kind.pt: _of_pt}
