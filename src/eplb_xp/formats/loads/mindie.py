"""MindIE's tables: a .csv for each NPU, matrices [layers, experts of the NPU] one below the other."""

from collections.abc import Sequence

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError
from eplb_xp.formats.loads.csv_files import matrix_of
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Kind, Source


def recognises(source: Source, options: Options) -> bool:
    """Text, where the number of layers is given: nothing in the file says it."""
    return source.kind == Kind.text and options.num_layers is not None


def read(source: Source, options: Options) -> Recorded:
    """The experts of one NPU."""
    return joined([source], options)


def joined(sources: Sequence[Source], options: Options) -> Recorded:
    """The experts of all NPUs side by side, in the order of the files' names, numbers in them as numbers."""
    parts = [_matrices(source, options.num_layers or 1) for source in sources]
    steps = min(len(part) for part in parts)
    return of_array(np.concatenate([part[:steps] for part in parts], axis=2))


def _matrices(source: Source, layers: int) -> Numbers:
    load = matrix_of(source.text)
    if load.size == 0:
        raise UnfitError(f"{source.path.name} has no rows")
    if len(load) % layers:
        raise UnfitError(f"{source.path.name} has {len(load)} rows, not a multiple of {layers} layers")
    return load.reshape(-1, layers, load.shape[1])
