"""``eplb-xp simulate``."""

from pathlib import Path
from typing import Annotated

import typer

from eplb_xp.cli import options
from eplb_xp.cli.files import check_target
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.output import show, simulation_table
from eplb_xp.cli.output.simulation_document import simulated as document
from eplb_xp.cli.progress import progress
from eplb_xp.cli.simulating import Pace, Prices, read_cost, try_all
from eplb_xp.cli.strategies import EXAMPLE, as_strategy
from eplb_xp.cli.traces import STEPS, Wanted, check_one, save, trace_of
from eplb_xp.loads import PRESETS
from eplb_xp.simulation import GPUS, MODELS, usual

Trace = Annotated[
    Path | None,
    typer.Argument(
        metavar="TRACE",
        show_default=False,
        help="Tokens for each expert in each step, steps x layers x experts: what other commands read. Or --preset.",
    ),
]
Preset = Annotated[
    str | None, typer.Option(metavar="NAME", help=f"In place of TRACE, loads like those of: {', '.join(PRESETS)}.")
]
NumSteps = Annotated[
    int | None, typer.Option(min=1, metavar="N", help=f"With --preset, steps that are generated; by default {STEPS}.")
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="S", help="With --preset, another seed gives other loads of the same kind; by default 0."
    ),
]
SaveTrace = Annotated[
    Path | None,
    typer.Option(metavar="NPZ", help="With --preset, write the loads that were simulated on, for other commands."),
]
Every = Annotated[int, typer.Option(min=1, metavar="N", help="Steps from one plan to the next.")]
Window = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Steps that a plan is made from, and that are judged together; by default --every."
    ),
]
Delay = Annotated[
    int, typer.Option(min=0, metavar="N", help="Steps until a plan is in use: planning and moving take time.")
]
LayersPerStep = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Layers that take a plan up in one step, as engines do; by default all."),
]
Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        metavar="S",
        help=f"Try this, too, such as '{EXAMPLE}'. Settings: policy, every, window, samples, half_life, follows, "
        "max_moves, min_gain, best_shares, more_slots. May be given several times.",
    ),
]
GpuName = Annotated[str, typer.Option(metavar="NAME", help=f"Whose seconds: {', '.join(GPUS)}.")]
ModelName = Annotated[str, typer.Option(metavar="NAME", help=f"Whose experts, in bfloat16: {', '.join(MODELS)}.")]
CostFile = Annotated[
    Path | None,
    typer.Option(
        metavar="JSON", help="Seconds, the JSON of 'eplb-xp measure'; those that it lacks are of --gpu and --model."
    ),
]
Tokens = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Tokens of a layer in a step, each counted once for every expert that it goes to; by default those of "
        "TRACE. Few are decode, many are prefill.",
    ),
]
Overlap = Annotated[float, typer.Option(metavar="X", help="Which part of the moves hides behind steps, from 0 to 1.")]
GpusPerNode = Annotated[
    int | None, typer.Option(metavar="N", help="GPUs near each other; by default those of a node, of --num-nodes.")
]


def simulate(
    file: Trace = None,
    *,
    num_replicas: options.Replicas,
    num_gpus: options.Gpus,
    num_groups: options.Groups = 1,
    num_nodes: options.Nodes = 1,
    every: Every = 50,
    window: Window = None,
    delay: Delay = 0,
    layers_per_step: LayersPerStep = None,
    strategy: Strategies = None,
    gpu: GpuName = "h200",
    model: ModelName = "deepseek-v3",
    cost: CostFile = None,
    tokens: Tokens = None,
    overlap: Overlap = 0.0,
    gpus_per_node: GpusPerNode = None,
    steps: options.Steps = ":",
    layers: options.Layers = ":",
    index_column: options.IndexColumn = None,
    preset: Preset = None,
    num_steps: NumSteps = None,
    seed: Seed = None,
    save_trace: SaveTrace = None,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    r"""Try strategies on a trace, and say which is worth it: balance promised and balance had, moves, seconds.

    Plans are made from steps that have passed and judged on those that follow: never one, once, as EPLB does, by policy
    joint, by few moves, for samples, and a ring whose shares are made for each step, with one more slot, too.

    For example:

    eplb-xp simulate loads.npz --num-replicas 288 --num-gpus 32 --every 8

    eplb-xp simulate loads.npz --num-replicas 288 --num-gpus 32 --every 8 \
    --tokens 262144 --delay 2 --layers-per-step 29 --plot simulated.png

    eplb-xp simulate loads.npz --num-replicas 288 --num-gpus 32 --every 8 \
    --strategy "often: every=4 max_moves=2% samples=3" --json

    eplb-xp simulate --preset gpt-oss-20b-requests --num-steps 100 --every 25 \
    --num-replicas 40 --num-gpus 8 --save-trace trace.npz
    """
    others = [as_strategy(each) for each in strategy or ()]
    prices = Prices({} if cost is None else read_cost(cost), gpu, model, overlap, tokens, gpus_per_node)
    wanted = Wanted(preset, num_steps, seed, save_trace)
    check_one(file, wanted, index_column)
    check_target("--plot", plot, options.PICTURES, *([] if file is None else [file]))
    check_target("--save-trace", save_trace, (".npz",))
    loads = trace_of(file, wanted, options.as_steps(steps), options.as_layers(layers), index_column, hidden=json)
    layout = Layout(num_replicas, num_groups, num_nodes, num_gpus)
    layout.check(loads.load.shape[1])
    tried = [*usual(every, window), *others]
    pace = Pace(every, every if window is None else window, delay, layers_per_step)
    with progress(len(tried), hidden=json) as announce:
        found = try_all(loads, layout, tried, pace=pace, prices=prices, announce=announce)
    show(found, simulation_table.simulated, document, json=json)
    if save_trace is not None and preset is not None:
        save(save_trace, loads.over_time, preset, seed or 0)
    if plot is not None:
        from eplb_xp.cli.output import pictures, simulation_picture  # noqa: PLC0415  matplotlib takes a while

        pictures.write(plot, simulation_picture.simulated(found))
