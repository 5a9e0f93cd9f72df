"""sglang-jax's recorder: a .npy of a dict with ``logical_count`` [layers, experts]."""

from typing import Any

from eplb_xp.formats.containers.pickles import read_dict
from eplb_xp.formats.fields import matrix, name_of_loads
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Kind, Source


def content_of(source: Source) -> dict[str, Any]:
    """The dict."""
    source.file.seek(source.header.start)
    return read_dict(source.file.read())


def recognises(source: Source, _: Options) -> bool:
    """An object of no axes."""
    return is_dict(source)


def is_dict(source: Source) -> bool:
    """Whether a .npy file holds an object of no axes."""
    return source.kind == Kind.npy and source.header.dtype.hasobject and source.header.shape == ()


def read(source: Source, _: Options) -> Recorded:
    """Its counts; with steps in front, each of them."""
    content = content_of(source)
    load = content[name_of_loads(content)]
    axes = "[steps, layers, experts]" if getattr(load, "ndim", 2) == 3 else "[layers, experts]"
    return of_array(matrix("logical_count", load, "iuf", axes))
