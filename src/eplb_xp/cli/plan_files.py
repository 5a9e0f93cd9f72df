"""Plans in files: eplb-xp's own, and the maps of serving engines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eplb_xp.cli.comparison import Comparison
from eplb_xp.cli.errors import UserError, refusals, writing
from eplb_xp.cli.numbering import as_numbering, check_numbering
from eplb_xp.cli.planning import Planned
from eplb_xp.formats import placements
from eplb_xp.formats.placements import FORMATS, OWN
from eplb_xp.formats.placements.placement import Placement


def read_plan(path: Path) -> Placement:
    """A plan, made by anyone."""
    with refusals(path):
        return placements.read(path)


def endings_of(format_name: str, layer_numbers: str | None, output: Path | None) -> tuple[str, ...]:
    """How files of a format end, once it is known to be one, and something is to be written."""
    if format_name not in FORMATS:
        raise UserError(f"--format must be one of {', '.join(FORMATS)}, got {format_name!r}")
    check_numbering(format_name, layer_numbers)
    if output is None and format_name != OWN:
        raise UserError(f"--format {format_name} goes with --output: say where to write it")
    return FORMATS[format_name].endings


def write_placement(path: Path, format_name: str, placement: Placement, layer_numbers: str | None) -> None:
    """A placement in a format, its layers numbered as is asked for."""
    if layer_numbers is not None:
        numbers = as_numbering(layer_numbers, len(placement.phy2log))
        placement = placement._replace(layer_numbers=np.array(numbers))
    with refusals(), writing(path):
        placements.write(path, format_name, placement)


def as_placement(planned: Planned, comparison: Comparison, settings: Mapping[str, Any]) -> Placement:
    """The plan, what it was made with, the balancedness that it promises, and the layers where that says nothing."""
    layout = comparison.layout
    return Placement(
        planned.plan.phy2log,
        layout.num_groups,
        layout.num_nodes,
        layout.num_gpus,
        comparison.loads.load.shape[1],
        balancedness=comparison.placements[-1].balancedness,
        busy=comparison.loads.busy,
        layer_numbers=np.array(comparison.loads.layers),
        num_layers=comparison.loads.layers_in_file,
        more={**planned.plan._asdict(), "policy": planned.name, **settings},
    )
