"""``eplb-xp plan``."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from eplb_xp.cli import options
from eplb_xp.cli.comparison import compare
from eplb_xp.cli.files import check_target, read_loads
from eplb_xp.cli.later import Backtest, split
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.output import documents, show, tables
from eplb_xp.cli.plan_files import ENDINGS, write_plan
from eplb_xp.cli.planning import Backend, Planner
from eplb_xp.cli.progress import progress

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PLAN",
        help="Write the plan as .npz or .json: phy2log, log2phy, logcnt, the sizes, the policy, the balancedness of "
        "each layer, which layers they are, and which had no tokens.",
    ),
]


def plan(
    file: options.File,
    *,
    num_replicas: options.Replicas,
    num_gpus: options.Gpus,
    num_groups: options.Groups = 1,
    num_nodes: options.Nodes = 1,
    steps: options.Steps = ":",
    layers: options.Layers = ":",
    index_column: options.IndexColumn = None,
    policy: options.PolicyName = options.DEFAULT_POLICY,
    max_replicas: options.MaxReplicas = None,
    backend: options.Library = Backend.numpy,
    output: Output = None,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    """Plan where the experts' replicas go, and compare with a placement without EPLB.

    Of several steps the first five sevenths are planned for once more, and that plan judged on the others, at most 64:
    what a plan of these loads is worth later, replicas sharing equally and by shares made for each step.

    For example:

    eplb-xp plan loads.npz --num-replicas 288 --num-gpus 32 -o plan.npz

    eplb-xp plan loads.npz --num-replicas 288 --num-gpus 32 --plot plan.png

    eplb-xp plan loads.npz --num-replicas 320 --num-gpus 64 --steps -10: --json
    """
    loads = read_loads(file, options.as_steps(steps), options.as_layers(layers), index_column)
    check_target("--output", output, ENDINGS, file)
    check_target("--plot", plot, options.PICTURES, file)
    layout = Layout(num_replicas, num_groups, num_nodes, num_gpus)
    planner = Planner(policy, backend, max_replicas)
    parts = split(loads.over_time)
    with progress(1 if parts is None else 2, hidden=json) as announce:
        announce(f"planning {policy}")
        planned = planner.timed_plan(loads.load, layout)
        tested = None
        if parts is not None:
            announce("planning from the first steps, judging on later ones")
            past, following = parts
            earlier = planner.plan(past.sum(axis=0, dtype=np.float64), layout)
            tested = Backtest((earlier.plan,), following, len(past))
        comparison = compare(loads, layout, [planned], tested)
    show(comparison, tables.comparison, documents.comparison, json=json)
    if output is not None:
        write_plan(output, planned, comparison)
    if plot is not None:
        from eplb_xp.cli.output import pictures  # noqa: PLC0415  matplotlib takes a while

        pictures.write(plot, pictures.comparison(comparison))
