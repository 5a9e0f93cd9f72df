"""``eplb-xp frontier``."""

from pathlib import Path
from typing import Annotated

import typer

from eplb_xp.cli import options
from eplb_xp.cli.amounts import as_bytes, as_moves
from eplb_xp.cli.buying import buy
from eplb_xp.cli.comparison import compare
from eplb_xp.cli.counted import as_counted
from eplb_xp.cli.files import check_target, read_loads
from eplb_xp.cli.following import read_previous
from eplb_xp.cli.frontiers import Search
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.output import frontier_table, show
from eplb_xp.cli.output.frontier_document import bought as document
from eplb_xp.cli.plan_files import as_placement, endings_of, write_placement
from eplb_xp.cli.planning import Backend, Reach
from eplb_xp.cli.progress import progress
from eplb_xp.formats.placements import OWN

Previous = Annotated[
    Path,
    typer.Option(metavar="PLAN", help="The plan in use, of the same sizes, or an engine's map: all others follow it."),
]
MaxMoves = Annotated[
    str,
    typer.Option(
        metavar="K",
        help="The most slots of a layer that may receive an expert, as a number or as a share of the slots such as "
        "10%, rounded down.",
    ),
]
Spend = Annotated[
    str | None,
    typer.Option(
        metavar="TOTAL",
        help="Divide so many moves among all layers, as a number or as a share of all their slots such as 5%, so that "
        "the busiest GPUs of all layers together have least; no layer gets more than --max-moves.",
    ),
]


def frontier(
    file: options.File,
    *,
    previous: Previous,
    num_replicas: options.Replicas,
    num_gpus: options.Gpus,
    num_groups: options.Groups = 1,
    num_nodes: options.Nodes = 1,
    steps: options.Steps = ":",
    layers: options.Layers = ":",
    index_column: options.IndexColumn = None,
    policy: options.PolicyName = options.DEFAULT_POLICY,
    max_replicas: options.MaxReplicas = None,
    samples: options.Samples = None,
    half_life: options.HalfLife = None,
    max_moves: MaxMoves = "15%",
    gpus_per_node: options.GpusPerNode = None,
    far_cost: options.FarCost = None,
    spend: Spend = None,
    expert_bytes: options.ExpertBytes = None,
    backend: options.Library = Backend.numpy,
    output: options.Output = None,
    format_name: options.Format = OWN,
    layer_numbers: options.LayerNumbers = None,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    r"""Say what each number of moves from the plan in use buys, and what fresh plans take and bring.

    Of several steps the first five sevenths are planned for once more, with every number of moves, and those plans
    judged on the others, at most 64, replicas sharing equally.

    With -o the plan for what is spent is written or, without --spend, the one for --max-moves.

    For example:

    eplb-xp frontier loads.npz --previous plan.npz --num-replicas 288 \
    --num-gpus 32

    eplb-xp frontier loads.npz --previous plan.npz --num-replicas 288 \
    --num-gpus 32 --max-moves 10% --expert-bytes 44M --plot frontier.png

    eplb-xp frontier loads.npz --previous plan.npz --num-replicas 288 \
    --num-gpus 32 --spend 5% -o next.npz

    eplb-xp frontier loads.npz --previous plan.npz --num-replicas 288 \
    --num-gpus 32 --gpus-per-node 8 --far-cost 5 --json
    """
    endings = endings_of(format_name, layer_numbers, output)
    expert_size = None if expert_bytes is None else as_bytes(expert_bytes)
    most = as_moves(max_moves, num_replicas)
    loads = read_loads(file, options.as_steps(steps), options.as_layers(layers), index_column, hidden=json)
    total = None if spend is None else as_moves(spend, num_replicas * len(loads.load), "--spend", "all layers")
    counted = as_counted(samples, half_life, len(loads.over_time))
    check_target("--output", output, endings, file, previous)
    check_target("--plot", plot, options.PICTURES, file, previous)
    layout = Layout(num_replicas, num_groups, num_nodes, num_gpus)
    used = read_previous(previous, loads, layout).plan.phy2log
    reach = Reach(gpus_per_node, 1 if far_cost is None else far_cost)
    search = Search(policy, backend, max_replicas, used, most, reach, total)
    with progress(2 if len(loads.over_time) == 1 else 4, hidden=json) as announce:
        found = buy(loads, layout, search, counted, announce)
    show(found, lambda its: frontier_table.bought(its, expert_size), lambda its: document(its, expert_size), json=json)
    if output is not None:
        planned = found.made.plan(most if found.spent is None else found.spent.moves, search)
        settings = {**counted._asdict(), "max_moves": max_moves, "spend": total}
        settings |= {"gpus_per_node": gpus_per_node, "far_cost": far_cost}
        made = as_placement(planned, compare(loads, layout, [planned]), settings)
        write_placement(output, format_name, made, layer_numbers)
    if plot is not None:
        from eplb_xp.cli.output import frontier_picture, pictures  # noqa: PLC0415  matplotlib takes a while

        pictures.write(plot, frontier_picture.bought(found))
