"""The loads that a command reads, and the files that it is to write."""

import os
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eplb_xp.checks import check_loads
from eplb_xp.cli.errors import UserError, one_line, refusals
from eplb_xp.cli.planning import Numbers
from eplb_xp.cli.progress import progress
from eplb_xp.formats.loads import recorded
from eplb_xp.formats.loads.choosing import chosen
from eplb_xp.formats.loads.options import Options

TITLE = 76  # letters, for a line of a terminal and of a picture


class Loads(NamedTuple):
    """Loads to plan for, and what they are of."""

    over_time: Numbers  # [steps, layers, experts]
    load: Numbers  # [layers, experts] float64, the sum over the steps
    title: str
    layers: range  # which of the file's
    layers_in_file: int

    @property
    def busy(self) -> Numbers:
        """Which layers have tokens."""
        return np.max(self.load, axis=1) > 0

    @property
    def busy_over_time(self) -> Numbers:
        """Which layers have tokens in which step: [steps, layers]."""
        return np.max(self.over_time, axis=2) > 0

    @property
    def idle_layers(self) -> int:
        """How many layers have no tokens."""
        return int(np.count_nonzero(~self.busy))

    @property
    def idle_steps(self) -> int:
        """How many steps have no tokens."""
        return int(np.count_nonzero(~self.busy_over_time.any(axis=1)))


def read_loads(
    path: Path, steps: slice, layers: slice = slice(None), index_column: bool | None = None, *, hidden: bool = False
) -> Loads:
    """The chosen steps and layers of a file, and the sum of the steps; progress is shown unless it is hidden."""
    title = textwrap.shorten(one_line(path.name), TITLE, placeholder="...")
    with refusals(path), recorded(path, Options(index_column)) as found:
        some = chosen(found, steps, layers)
        with progress(len(some.steps), hidden=hidden) as announce:
            over_time = some.together(announce)
        in_file = range(found.num_layers)
        return summed(over_time, title)._replace(layers=in_file[layers], layers_in_file=len(in_file))


def summed(over_time: Numbers, title: str) -> Loads:
    """Loads [steps, layers, experts], all that there are, and their sum."""
    load = over_time.sum(axis=0, dtype=np.float64)
    check_loads(load)
    return Loads(over_time, load, title, range(len(load)), len(load))


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
