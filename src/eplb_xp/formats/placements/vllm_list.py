"""vLLM's initial expert map (PR 49572): nested lists in JSON, [slots] for all layers or [layers][slots]."""

import json
from pathlib import Path

from eplb_xp.formats.placements.checking import checked
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.source import Kind, Source

ENDINGS = (".json",)


def recognises(source: Source) -> bool:
    """A list: what it holds is a map where a map is wanted."""
    return source.kind == Kind.json and isinstance(source.document, list)


def read(source: Source) -> Placement:
    """The map."""
    rows = source.document
    is_one = not any(isinstance(row, list) for row in rows)
    return Placement(checked("the list", [rows] if is_one else rows), is_for_all_layers=is_one)


def write(path: Path, placement: Placement) -> None:
    """A list for each layer."""
    path.write_text(json.dumps(placement.phy2log.tolist()) + "\n")
