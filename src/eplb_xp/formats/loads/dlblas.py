"""DLBlas in lmdeploy: ``expert_load_rank<r>.json``, an object of ``layer_<l>`` and the counts of its experts."""

import re

from eplb_xp.formats.fields import UnfitError, matrix
from eplb_xp.formats.loads.numbered import by_number
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Kind, Source

LAYER = re.compile(r"layer_(\d{1,9})")
FILE = re.compile(r"rank(\d{1,9})")


def recognises(source: Source, _: Options) -> bool:
    """An object whose names are all such."""
    names = source.names() if source.kind == Kind.json else set()
    return bool(names) and all(map(LAYER.fullmatch, names))


def read(source: Source, _: Options) -> Recorded:
    """One step, each layer placed by its number; the rank is in the name of the file alone."""
    rows = {int(LAYER.fullmatch(name)[1]): row for name, row in source.document.items()}  # type: ignore[index]
    if len(rows) != len(source.document):
        raise UnfitError("a layer is there twice")
    load = by_number([*rows], matrix("layers", [*rows.values()], "iuf", "[layers, experts]"))
    found = FILE.search(source.path.name)
    return of_array(load)._replace(rank=int(found[1]) if found else None)
