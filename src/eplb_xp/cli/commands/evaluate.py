"""``eplb-xp evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from eplb_xp.cli import options
from eplb_xp.cli.files import check_target, read_loads
from eplb_xp.cli.judging import judge, layout_of, on_layers_of
from eplb_xp.cli.output import documents, show, tables
from eplb_xp.cli.plan_files import read_plan
from eplb_xp.cli.progress import progress

PlanPath = Annotated[
    Path,
    typer.Argument(
        metavar="PLAN",
        help="A plan written by 'eplb-xp plan', an engine's map, or anyone's phy2log, layers x replicas.",
    ),
]
Groups = Annotated[int | None, typer.Option(help="Groups of experts, if not those of the plan.")]
Nodes = Annotated[int | None, typer.Option(help="Nodes, if not those of the plan.")]
Gpus = Annotated[int | None, typer.Option(help="GPUs, if not those of the plan; needed where it names none.")]


def evaluate(
    plan: PlanPath,
    file: options.File,
    *,
    num_gpus: Gpus = None,
    num_groups: Groups = None,
    num_nodes: Nodes = None,
    steps: options.Steps = ":",
    layers: options.Layers = ":",
    index_column: options.IndexColumn = None,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    """Measure a plan on other loads than it was made for: how good it is by now.

    --layers chooses the layers of PLAN, too, if it has more of them.

    For example:

    eplb-xp evaluate plan.npz loads.npz

    eplb-xp evaluate plan.npz loads.npz --steps -10: --plot later.png
    """
    planned = read_plan(plan)
    layout = layout_of(planned, num_groups, num_nodes, num_gpus)
    loads = read_loads(file, options.as_steps(steps), options.as_layers(layers), index_column, hidden=json)
    planned = on_layers_of(loads, planned)
    check_target("--plot", plot, options.PICTURES, plan, file)
    with progress(len(loads.over_time), hidden=json) as announce:
        judged = judge(loads, planned, layout, announce)
    show(judged, tables.judged, documents.judged, json=json)
    if plot is not None:
        from eplb_xp.cli.output import pictures  # noqa: PLC0415  matplotlib takes a while

        pictures.write(plot, pictures.judged(judged))
