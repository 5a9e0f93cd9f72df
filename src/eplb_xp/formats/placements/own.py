"""eplb-xp's own plans, .npz and .json; nothing is ever unpickled."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from eplb_xp import __version__
from eplb_xp.formats.fields import Numbers, UnfitError
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.source import Kind, Source
from eplb_xp.maps import logical_maps

ENDINGS = (".npz", ".json")
SIZES = ("num_groups", "num_nodes", "num_gpus", "num_experts", "num_layers")

# Another number is for files that earlier readers would misread; a name more needs none. Files without one are of 1.
FORMAT_VERSION = 1


def recognises(source: Source) -> bool:
    """An archive, or an object: what is none of an engine's."""
    return source.kind == Kind.npz or (source.kind == Kind.json and isinstance(source.document, dict))


def read(source: Source) -> Placement:
    """``phy2log``, and whatever else of a plan is there."""
    content: dict[str, Any] = source.document if source.kind == Kind.json else _arrays(source)
    _check_version(content)
    if "phy2log" not in content:
        raise UnfitError(
            f"a plan has an array phy2log [layers, replicas], found: {', '.join(map(str, content)) or 'nothing'}"
        )
    phy2log = _numbers("phy2log", content["phy2log"], "iu", 2)
    sizes: dict[str, Any] = {name: int(_numbers(name, content[name], "iu", 0)) for name in SIZES if name in content}
    return Placement(
        phy2log,
        **sizes,
        balancedness=_by_layer("balancedness", content, "f", len(phy2log)),
        layer_numbers=_by_layer("layer_numbers", content, "iu", len(phy2log)),
        busy=_busy(content["idle_layers"], len(phy2log)) if "idle_layers" in content else None,
    )


def write(path: Path, placement: Placement) -> None:
    """The plan, its maps, what it was made with, the balancedness that it promises, and where that says nothing."""
    experts = placement.num_experts or int(placement.phy2log.max()) + 1
    log2phy, logcnt = logical_maps(placement.phy2log, experts)
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "eplb_xp_version": __version__,
        "phy2log": placement.phy2log,
        "log2phy": log2phy,
        "logcnt": logcnt,
        "num_replicas": placement.phy2log.shape[1],
        "num_groups": placement.num_groups,
        "num_nodes": placement.num_nodes,
        "num_gpus": placement.num_gpus,
        "num_experts": experts,
        **placement.more,
        "balancedness": placement.balancedness,
        "idle_layers": None if placement.busy is None else np.flatnonzero(~placement.busy),
        "layer_numbers": placement.layer_numbers,
        "num_layers": placement.num_layers,
    }
    content = {name: value for name, value in content.items() if value is not None}
    if path.suffix == ".npz":
        np.savez_compressed(path, **content)
    else:
        path.write_text(json.dumps({name: np.asarray(value).tolist() for name, value in content.items()}) + "\n")


def _arrays(source: Source) -> dict[str, Any]:
    """What is read of an archive."""
    names = {"phy2log", "format_version", "balancedness", "layer_numbers", "idle_layers", *SIZES}
    return {name: source.archive.array(name) if name in names else None for name in source.archive}


def _check_version(content: dict[str, Any]) -> None:
    """Refuse what a later version wrote and this one would misread."""
    version = int(_numbers("format_version", content.get("format_version", FORMAT_VERSION), "iu", 0))
    if version > FORMAT_VERSION:
        raise UnfitError(
            f"a plan of format_version {version}, and eplb-xp {__version__} reads up to {FORMAT_VERSION}: a newer "
            "eplb-xp reads it"
        )


def _by_layer(name: str, content: dict[str, Any], kinds: str, layers: int) -> Numbers | None:
    """What a file says of each layer, if it does."""
    if name not in content:
        return None
    values = _numbers(name, content[name], kinds, 1)
    if len(values) != layers:
        raise UnfitError(f"there are {layers} layers in phy2log but {len(values)} in {name}")
    return values


def _busy(idle_layers: Any, layers: int) -> Numbers:
    """Which layers are not among the idle ones."""
    idle = _numbers("idle_layers", idle_layers, "iu", 1) if np.size(idle_layers) else np.empty(0, np.int64)
    if not ((idle >= 0) & (idle < layers)).all():
        raise UnfitError(f"idle_layers must be layers of the plan, 0 to {layers - 1}, got {idle.tolist()}")
    return ~np.isin(np.arange(layers), idle)


def _numbers(name: str, value: Any, kinds: str, axes: int) -> Numbers:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise UnfitError(f"{name} must be rows of equal length") from error
    if array.dtype.kind not in kinds or array.ndim != axes:
        what = ("a whole number", "numbers [layers]", "whole numbers [layers, replicas]")[axes]
        raise UnfitError(f"{name} must be {what}, got shape {array.shape} of {array.dtype}")
    return array
