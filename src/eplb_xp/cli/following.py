"""The plan in use, which the new one follows."""

from pathlib import Path

import numpy as np

from eplb_xp.backends import library_of
from eplb_xp.cli.errors import UserError, refusals
from eplb_xp.cli.files import Loads
from eplb_xp.cli.judging import on_layers_of
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.plan_files import read_plan
from eplb_xp.cli.planning import Numbers, Planned
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.given import check_experts_if_free, check_plan
from eplb_xp.maps import logical_maps
from eplb_xp.types import Plan


def read_previous(path: Path, loads: Loads, layout: Layout) -> Planned:
    """The plan of a file, for the chosen layers; it must be of the sizes of the new one."""
    file = read_plan(path)
    experts = loads.load.shape[1]
    _check_sizes(path, file, layout, experts)
    try:
        phy2log: Numbers = on_layers_of(loads, file).phy2log.astype(np.int64)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    with refusals(path):
        # It is a plan of these experts, and keeps groups on nodes where the new one must.
        lib = library_of("phy2log", phy2log)
        nodes = {"num_groups": layout.num_groups, "num_nodes": layout.num_nodes}
        _, sizes = check_plan(lib, (phy2log,), loads.load, layout.num_gpus, **nodes)
        check_experts_if_free(lib, phy2log, experts, sizes)
        return Planned("previous", Plan(phy2log, *logical_maps(phy2log, experts)))


def _check_sizes(path: Path, file: Placement, layout: Layout, experts: int) -> None:
    """Those that the file names."""
    sizes = (
        ("replicas", file.phy2log.shape[1], layout.num_replicas),
        ("GPUs", file.num_gpus, layout.num_gpus),
        ("nodes", file.num_nodes, layout.num_nodes),
        ("experts", file.num_experts, experts),
    )
    for what, its, asked in sizes:
        if its is not None and its != asked:
            raise UserError(
                f"{path}: the previous plan's number of {what} is {its}, and that of the new one {asked}: a plan "
                "follows one of its own sizes"
            )
