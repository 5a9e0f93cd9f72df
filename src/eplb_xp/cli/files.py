"""The loads that a command reads, and the files that it is to write."""

import os
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eplb_xp import loads
from eplb_xp.checks import check_loads
from eplb_xp.cli.errors import UserError, one_line, refusals
from eplb_xp.cli.planning import Numbers

TITLE = 76  # letters, for a line of a terminal and of a picture


class Loads(NamedTuple):
    """Loads to plan for, and what they are of."""

    over_time: Numbers  # [steps, layers, experts]
    load: Numbers  # [layers, experts] float64, the sum over the steps
    title: str


def read_loads(path: Path, steps: slice) -> Loads:
    """The chosen steps of a file, and their sum."""
    with refusals(path):
        return summed(loads.read(path, steps=steps), textwrap.shorten(one_line(path.name), TITLE, placeholder="..."))


def summed(over_time: Numbers, title: str) -> Loads:
    """Loads [steps, layers, experts], and their sum."""
    load = over_time.sum(axis=0, dtype=np.float64)
    check_loads(load)
    return Loads(over_time, load, title)


def check_target(option: str, path: Path | None, endings: tuple[str, ...], *sources: Path) -> None:
    """Refuse what can't be written, before any work is done."""
    if path is None:
        return
    if path.suffix not in endings:
        raise UserError(f"{option} must end in {' or '.join(endings)}, got {path}")
    try:
        if not path.parent.is_dir():
            raise UserError(f"{option} {path}: there is no folder {path.parent}")
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise UserError(f"{option} {path} can't be written")
        if path.exists() and any(path.samefile(source) for source in sources):
            raise UserError(f"{option} {path} would overwrite what is read")
    except OSError as error:
        raise UserError(f"{option} {path} can't be written: {error.strerror}") from error
