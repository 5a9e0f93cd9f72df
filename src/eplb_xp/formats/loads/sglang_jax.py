"""sglang-jax's recorder: a .npy of a dict with ``logical_count`` [layers, experts]."""

from eplb_xp.formats.fields import matrix, name_of_loads
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Source


def recognises(source: Source, _: Options) -> bool:
    """An object of no axes."""
    return source.is_dict


def read(source: Source, _: Options) -> Recorded:
    """Its counts; with steps in front, each of them."""
    content = source.pickled
    load = content[name_of_loads(content)]
    axes = "[steps, layers, experts]" if getattr(load, "ndim", 2) == 3 else "[layers, experts]"
    return of_array(matrix("logical_count", load, "iuf", axes))
