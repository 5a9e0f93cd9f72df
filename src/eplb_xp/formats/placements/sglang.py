"""SGLang's ``--init-expert-location``: ``physical_to_logical_map`` [layers, slots] in .json or .pt."""

import json
from pathlib import Path

from eplb_xp.formats.containers.tensors import of_torch
from eplb_xp.formats.placements.checking import checked
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.source import Kind, Source

ENDINGS = (".json", ".pt")
KEY = "physical_to_logical_map"
LAST = "last_physical_to_logical_map"  # in what its recorder writes: the map in use


def recognises(source: Source) -> bool:
    """An object or a dict with the key."""
    return source.kind in {Kind.json, Kind.pt} and bool({KEY, LAST} & source.names())


def read(source: Source) -> Placement:
    """The map."""
    content = source.document if source.kind == Kind.json else source.tensors
    key = KEY if KEY in content else LAST
    value = content[key] if source.kind == Kind.json else of_torch().array(content[key])
    return Placement(checked(key, value))


def write(path: Path, placement: Placement) -> None:
    """The map alone."""
    if path.suffix == ".pt":
        of_torch().write(str(path), {KEY: placement.phy2log})
    else:
        path.write_text(json.dumps({KEY: placement.phy2log.tolist()}) + "\n")
