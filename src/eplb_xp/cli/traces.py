"""The trace that a command simulates on: from a file, or generated."""

from pathlib import Path
from typing import NamedTuple

from eplb_xp import loads
from eplb_xp.cli.errors import UserError, refusals, writing
from eplb_xp.cli.files import Loads, read_loads, summed
from eplb_xp.cli.planning import Numbers
from eplb_xp.cli.progress import progress
from eplb_xp.formats.loads.choosing import chosen
from eplb_xp.formats.loads.recorded import of_array

STEPS = 400  # generated unless --num-steps says otherwise


class Wanted(NamedTuple):
    """What is generated, as options say it."""

    preset: str | None
    num_steps: int | None
    seed: int | None
    save_trace: Path | None

    @property
    def title(self) -> str:
        """For tables and pictures."""
        return f"generated loads, {self.preset}: {self.num_steps or STEPS} steps, seed {self.seed or 0}"


def check_one(file: Path | None, wanted: Wanted, index_column: bool | None) -> None:
    """Refuse no trace, two of them, and options that say nothing about the one."""
    if file is None and wanted.preset is None:
        raise UserError(f"give TRACE, a file, or --preset, which is one of {', '.join(loads.PRESETS)}")
    if file is not None and wanted.preset is not None:
        raise UserError(f"give TRACE or --preset, got both: {file} and {wanted.preset}")
    if file is None and index_column is not None:
        raise UserError("--index-column goes with TRACE, and generated loads have no such column")
    if file is not None:
        for option, value in (("--num-steps", wanted.num_steps), ("--seed", wanted.seed)):
            if value is not None:
                raise UserError(f"{option} goes with --preset, not with TRACE; --steps A:B chooses steps of a file")
        if wanted.save_trace is not None:
            raise UserError("--save-trace goes with --preset, not with TRACE; eplb-xp convert writes steps of a file")


def trace_of(
    file: Path | None, wanted: Wanted, steps: slice, layers: slice, index_column: bool | None, *, hidden: bool
) -> Loads:
    """The chosen steps and layers of the file, or of what is generated; progress is shown unless it is hidden."""
    if file is not None:
        return read_loads(file, steps, layers, index_column, hidden=hidden)
    with refusals(), progress(1, hidden=hidden) as announce:
        announce("generating loads")
        generated = loads.generate(str(wanted.preset), steps=wanted.num_steps or STEPS, seed=wanted.seed or 0)
        over_time = chosen(of_array(generated), steps, layers).together()
    in_all = range(generated.shape[1])
    return summed(over_time, wanted.title)._replace(layers=in_all[layers], layers_in_file=len(in_all))


def save(path: Path, over_time: Numbers, preset: str, seed: int) -> None:
    """Generated loads as a trace, with what they are of."""
    its = loads.PRESETS[preset]
    with writing(path):
        loads.save(path, over_time, model=its.model, source=f"generated, {preset}, seed {seed}", top_k=its.top_k)
