"""Plans in .npz and .json files; nothing is ever unpickled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eplb_xp import __version__
from eplb_xp.cli.comparison import Comparison
from eplb_xp.cli.errors import UserError, refusals, writing
from eplb_xp.cli.planning import Numbers, Planned

ENDINGS = (".npz", ".json")
SIZES = ("num_groups", "num_nodes", "num_gpus", "num_experts", "num_layers")

# Another number is for files that earlier readers would misread; a name more needs none. Files without one are of 1.
FORMAT_VERSION = 1


class PlanFile(NamedTuple):
    """What a file says of a plan."""

    phy2log: Numbers  # [layers, replicas]
    num_groups: int | None = None
    num_nodes: int | None = None
    num_gpus: int | None = None
    num_experts: int | None = None
    balancedness: Numbers | None = None  # [layers], on the loads that it was made for
    busy: Numbers | None = None  # [layers], which had tokens in them; not known of all files
    layer_numbers: Numbers | None = None  # [layers], in those loads
    num_layers: int | None = None  # that those loads had, before some were chosen

    def of_rows(self, rows: list[int]) -> "PlanFile":
        """The same of some layers."""
        names = "phy2log", "balancedness", "busy", "layer_numbers"
        by_layer = {name: each for name in names if (each := getattr(self, name)) is not None}
        return self._replace(**{name: each[rows] for name, each in by_layer.items()})


def write_plan(path: Path, planned: Planned, comparison: Comparison, settings: Mapping[str, Any]) -> None:
    """The plan, what it was made with, the balancedness that it promises, and the layers where that says nothing."""
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "eplb_xp_version": __version__,
        **planned.plan._asdict(),
        **comparison.layout._asdict(),
        "num_experts": comparison.loads.load.shape[1],
        "policy": planned.name,
        **{name: value for name, value in settings.items() if value is not None},
        "balancedness": comparison.placements[-1].balancedness,
        "idle_layers": np.flatnonzero(~comparison.loads.busy),
        "layer_numbers": np.array(comparison.loads.layers),
        "num_layers": comparison.loads.layers_in_file,
    }
    with writing(path):
        if path.suffix == ".npz":
            np.savez_compressed(path, **content)
        else:
            path.write_text(json.dumps({name: np.asarray(value).tolist() for name, value in content.items()}) + "\n")


def read_plan(path: Path) -> PlanFile:
    """A plan, made by anyone: ``phy2log``, and whatever else of it is there."""
    if path.suffix not in ENDINGS:
        raise UserError(f"{path}: plans are read from {' and '.join(ENDINGS)} files")
    with refusals(path):
        content = _content(path)
        _check_version(content)
        if "phy2log" not in content:
            raise ValueError(
                f"a plan has an array phy2log [layers, replicas], found: {', '.join(map(str, content)) or 'nothing'}"
            )
        phy2log = _numbers("phy2log", content["phy2log"], "iu", 2)
        sizes = {name: int(_numbers(name, content[name], "iu", 0)) for name in SIZES if name in content}
        return PlanFile(
            phy2log,
            **sizes,
            balancedness=_by_layer("balancedness", content, "f", len(phy2log)),
            layer_numbers=_by_layer("layer_numbers", content, "iu", len(phy2log)),
            busy=_busy(content["idle_layers"], len(phy2log)) if "idle_layers" in content else None,
        )


def _check_version(content: dict[str, Any]) -> None:
    """Refuse what a later version wrote and this one would misread."""
    version = int(_numbers("format_version", content.get("format_version", FORMAT_VERSION), "iu", 0))
    if version > FORMAT_VERSION:
        raise ValueError(
            f"a plan of format_version {version}, and eplb-xp {__version__} reads up to {FORMAT_VERSION}: a newer "
            "eplb-xp reads it"
        )


def _content(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        try:
            if path.suffix == ".npz":
                with np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
                    return dict(archive)
            content = json.load(file)
        except Exception as error:  # a broken file makes NumPy, zipfile and zlib raise nearly anything
            raise ValueError(f"no {path.suffix} file of a plan: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"no plan: a JSON object is expected, got {type(content).__name__}")
    return content


def _by_layer(name: str, content: dict[str, Any], kinds: str, layers: int) -> Numbers | None:
    """What a file says of each layer, if it does."""
    if name not in content:
        return None
    values = _numbers(name, content[name], kinds, 1)
    if len(values) != layers:
        raise ValueError(f"there are {layers} layers in phy2log but {len(values)} in {name}")
    return values


def _busy(idle_layers: Any, layers: int) -> Numbers:
    """Which layers are not among the idle ones."""
    idle = _numbers("idle_layers", idle_layers, "iu", 1) if np.size(idle_layers) else np.empty(0, np.int64)
    if not ((idle >= 0) & (idle < layers)).all():
        raise ValueError(f"idle_layers must be layers of the plan, 0 to {layers - 1}, got {idle.tolist()}")
    return ~np.isin(np.arange(layers), idle)


def _numbers(name: str, value: Any, kinds: str, axes: int) -> Numbers:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be rows of equal length") from error
    if array.dtype.kind not in kinds or array.ndim != axes:
        what = ("a whole number", "numbers [layers]", "whole numbers [layers, replicas]")[axes]
        raise ValueError(f"{name} must be {what}, got shape {array.shape} of {array.dtype}")
    return array
