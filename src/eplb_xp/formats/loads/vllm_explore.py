"""vLLM's explore_eplb.py: ``per_layer_stats``, a list of layers with their ``logical_load``."""

from eplb_xp.formats.fields import UnfitError, matrix, whole
from eplb_xp.formats.loads.numbered import by_number
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Kind, Source

KEYS = {"layer", "logical_load"}


def recognises(source: Source, _: Options) -> bool:
    """An object with the list."""
    return source.kind == Kind.json and "per_layer_stats" in source.names()


def read(source: Source, _: Options) -> Recorded:
    """One step, each layer placed by its number."""
    stats = source.document["per_layer_stats"]
    if not isinstance(stats, list) or not all(isinstance(s, dict) and s.keys() >= KEYS for s in stats):
        raise UnfitError("per_layer_stats must be a list of objects with layer and logical_load")
    numbers = [whole("layer", each["layer"]) for each in stats]
    load = matrix("logical_load", [each["logical_load"] for each in stats], "iuf", "[layers, experts]")
    return of_array(by_number(numbers, load))
