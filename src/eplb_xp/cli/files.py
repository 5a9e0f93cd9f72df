"""Loads from .npy and .npz files, plans into .npz files; nothing is ever unpickled."""

import os
import textwrap
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from eplb_xp.checks import LARGEST
from eplb_xp.cli.errors import UserError, one_line
from eplb_xp.cli.planning import Numbers, Request
from eplb_xp.types import Plan


class Loads(NamedTuple):
    """Loads to plan for, and what they are of."""

    load: Numbers  # [layers, experts] float64
    title: str


def read_loads(path: Path) -> Loads:
    """The loads of a file, leading axes (time, domain) summed."""
    try:
        load, title = _read(path)
        return Loads(_by_layer(load), textwrap.shorten(one_line(title or path.name), 120, placeholder=" ..."))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _read(path: Path) -> tuple[Numbers, str]:
    """An array, and what the file says that it is of."""
    if path.suffix not in (".npy", ".npz"):
        raise UserError("loads are read from .npy and .npz files")
    try:
        with path.open("rb") as file:
            return _npz(file) if path.suffix == ".npz" else (np.lib.format.read_array(file, allow_pickle=False), "")
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"can't be read: {error.strerror or error}") from error
    except Exception as error:  # a broken file makes NumPy, zipfile and zlib raise nearly anything
        raise UserError(f"no {path.suffix} file of plain numbers: {error}") from error


def _npz(file: BinaryIO) -> tuple[Numbers, str]:
    with np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
        title = str(archive["model"]) if "model" in archive.files else ""
        if "load" in archive.files:
            return np.asarray(archive["load"]), title
        numbers = [name for name in archive.files if archive[name].dtype.kind not in "US"]
        if len(numbers) != 1:
            found = textwrap.shorten(", ".join(numbers) or "none", 60, placeholder=" ...")
            raise UserError(f"there must be an array 'load', or only one array beside texts; arrays found: {found}")
        return archive[numbers[0]], title


def _by_layer(load: Numbers) -> Numbers:
    """The loads as [layers, experts]."""
    if load.dtype.kind not in "iuf":
        raise UserError(f"loads must be integers or real floats, got dtype {load.dtype}")
    if load.ndim < 2:
        raise UserError(f"loads must be [layers, experts], perhaps with time or domain before, got shape {load.shape}")
    if load.size == 0:
        raise UserError(f"there must be at least one layer and one expert, got shape {load.shape}")
    _check_values(load)
    total = load.reshape(-1, *load.shape[-2:]).sum(axis=0, dtype=np.float64)
    _check_values(total)
    return total


def _check_values(load: Numbers) -> None:
    # Before the sum, where a negative load could hide, and after it. NumPy's own float widens float16.
    bad = ~((load >= 0) & (load <= np.float64(LARGEST)))
    if bad.any():
        first = tuple(map(int, np.argwhere(bad)[0]))
        raise UserError(
            f"loads are token counts, but {np.count_nonzero(bad)} of them are negative, NaN or above the largest "
            f"float32, the first {load[first]} at {list(first)}"
        )


def check_target(option: str, path: Path, endings: tuple[str, ...], source: Path | None) -> None:
    """Refuse what can't be written, before any work is done."""
    if path.suffix not in endings:
        raise UserError(f"{option} must end in {' or '.join(endings)}, got {path}")
    try:
        if not path.parent.is_dir():
            raise UserError(f"{option} {path}: there is no folder {path.parent}")
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise UserError(f"{option} {path} can't be written")
        if source is not None and path.exists() and path.samefile(source):
            raise UserError(f"{option} {path} would overwrite the loads")
    except OSError as error:
        raise UserError(f"{option} {path} can't be written: {error.strerror}") from error


def write_plan(path: Path, plan: Plan[Numbers], request: Request) -> None:
    """The plan, and the sizes and the policy that it was made with."""
    try:
        np.savez_compressed(
            path,
            **plan._asdict(),
            num_replicas=request.num_replicas,
            num_groups=request.num_groups,
            num_nodes=request.num_nodes,
            num_gpus=request.num_gpus,
            policy=request.policy,
        )
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from error
