"""vLLM's initial mapping (PR 41141): one record of layers and the experts in their slots."""

import json
from pathlib import Path
from typing import Any

from eplb_xp.formats.fields import UnfitError
from eplb_xp.formats.placements.checking import by_layers, check_complete
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.source import Kind, Source

ENDINGS = (".json", ".jsonl")
TYPE = "eplb_initial_mapping"
VERSION = 1
KEY = "initial_global_assignments"


def recognises(source: Source) -> bool:
    """A record of this type, in one line or several."""
    if source.kind == Kind.lines:
        return TYPE.encode() in source.head
    return source.kind == Kind.json and "record_type" in source.names()


def read(source: Source) -> Placement:
    """The map; vLLM counts the layers that have experts, from 0."""
    record = source.document if source.kind == Kind.json else _only_record(source)
    if record.get("record_type") != TYPE or record.get("version", VERSION) != VERSION:
        kind, version = str(record.get("record_type"))[:40], str(record.get("version"))[:20]
        raise UnfitError(f"a record must be {TYPE} of version {VERSION}, got {kind} of version {version}")
    return by_layers(KEY, record.get(KEY), source.size, record.get("num_slots"))._replace(layer_numbers=None)


def write(path: Path, placement: Placement) -> None:
    """The record, in one line."""
    slots = placement.phy2log.shape[1]
    record = {
        "record_type": TYPE,
        "version": VERSION,
        "num_redundant_experts": slots - check_complete(placement),
        "num_slots": slots,
        KEY: {str(layer): row for layer, row in enumerate(placement.phy2log.tolist())},
    }
    path.write_text(json.dumps(record) + "\n")


def _only_record(source: Source) -> dict[str, Any]:
    source.file.seek(0)
    records = [json.loads(line) for line in source.file if line.strip()]
    found = [record for record in records if isinstance(record, dict) and record.get("record_type") == TYPE]
    if len(found) != 1:
        raise UnfitError(f"there must be one record of type {TYPE}, and there are {len(found)}")
    return found[0]
