"""Plans in .npz and .json files; nothing is ever unpickled."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eplb_xp.cli.errors import UserError, refusals, writing
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Numbers
from eplb_xp.types import Plan

ENDINGS = (".npz", ".json")
SIZES = ("num_groups", "num_nodes", "num_gpus")


class PlanFile(NamedTuple):
    """What a file says of a plan."""

    phy2log: Numbers  # [layers, replicas]
    num_groups: int = 1
    num_nodes: int = 1
    num_gpus: int | None = None
    balancedness: Numbers | None = None  # [layers], on the loads that it was made for


def write_plan(path: Path, plan: Plan[Numbers], layout: Layout, policy: str, balancedness: Numbers) -> None:
    """The plan, the sizes and the policy that it was made with, and the balancedness that it promises."""
    content: dict[str, Any] = {**plan._asdict(), **layout._asdict(), "policy": policy, "balancedness": balancedness}
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
        if "phy2log" not in content:
            raise ValueError(
                f"a plan has an array phy2log [layers, replicas], found: {', '.join(map(str, content)) or 'nothing'}"
            )
        phy2log = _numbers("phy2log", content["phy2log"], "iu", 2)
        sizes = {name: int(_numbers(name, content[name], "iu", 0)) for name in SIZES if name in content}
        balancedness = None
        if "balancedness" in content:
            balancedness = _numbers("balancedness", content["balancedness"], "f", 1)
            if len(balancedness) != len(phy2log):
                raise ValueError(f"there are {len(phy2log)} layers in phy2log but {len(balancedness)} in balancedness")
        return PlanFile(phy2log, **sizes, balancedness=balancedness)


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


def _numbers(name: str, value: Any, kinds: str, axes: int) -> Numbers:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be rows of equal length") from error
    if array.dtype.kind not in kinds or array.ndim != axes:
        what = ("a whole number", "numbers [layers]", "whole numbers [layers, replicas]")[axes]
        raise ValueError(f"{name} must be {what}, got shape {array.shape} of {array.dtype}")
    return array
