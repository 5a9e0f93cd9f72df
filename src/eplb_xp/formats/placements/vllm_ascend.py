"""vllm-ascend's and MindIE's ``expert_map.json``: a list of layers, of devices, of the experts in their slots."""

import json
from pathlib import Path
from typing import Any

from eplb_xp.formats.fields import UnfitError, whole
from eplb_xp.formats.placements.checking import by_gpu, checked
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.source import Kind, Source

ENDINGS = (".json",)
KEY = "layer_list"


def recognises(source: Source) -> bool:
    """An object with the list."""
    return source.kind == Kind.json and KEY in source.names()


def read(source: Source) -> Placement:
    """The map, and how many devices there are; layers and devices in the order of their ids."""
    layers = _in_order(KEY, source.document[KEY], "layer_id")
    count = source.document.get("moe_layer_count", len(layers))
    if count != len(layers):
        raise UnfitError(f"moe_layer_count is {str(count)[:20]}, and {KEY} has {len(layers)} layers")
    rows = []
    gpus = set()
    for layer in layers:
        devices = _in_order("device_list", layer.get("device_list"), "device_id")
        slots: list[Any] = [device.get("device_expert") for device in devices]
        if any(not isinstance(each, list) or len(each) != len(slots[0]) for each in slots):
            raise UnfitError("device_expert must be a list of experts, as long on every device of a layer")
        gpus.add(len(devices))
        rows.append([expert for each in slots for expert in each])
    if len(gpus) != 1:
        raise UnfitError(f"every layer must have as many devices, got {sorted(gpus)}")
    return Placement(checked("device_expert", rows), num_gpus=gpus.pop())


def write(path: Path, placement: Placement) -> None:
    """The map, for as many devices as there are GPUs."""
    held = by_gpu(placement, "vllm-ascend")
    layer_list = [
        {
            "layer_id": number,
            "device_count": len(layer),
            "device_list": [{"device_id": gpu, "device_expert": slots} for gpu, slots in enumerate(layer)],
        }
        for number, layer in enumerate(held.tolist())
    ]
    path.write_text(json.dumps({"moe_layer_count": len(held), KEY: layer_list}) + "\n")


def _in_order(name: str, items: Any, key: str) -> list[dict[str, Any]]:
    """Objects in the order of their ids, of which there may be no two alike."""
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) and key in item for item in items):
        raise UnfitError(f"{name} must be a list of objects with {key}, at least one")
    by_id = {whole(key, item[key]): item for item in items}
    if len(by_id) != len(items):
        raise UnfitError(f"{name} has a {key} twice")
    return [item for _, item in sorted(by_id.items())]
