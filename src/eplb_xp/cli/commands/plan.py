"""``eplb-xp plan``."""

from collections.abc import Mapping
from pathlib import Path

from eplb_xp.cli import options
from eplb_xp.cli.amounts import as_bytes, as_moves
from eplb_xp.cli.comparison import compare
from eplb_xp.cli.counted import as_counted
from eplb_xp.cli.errors import UserError
from eplb_xp.cli.files import check_target, read_loads
from eplb_xp.cli.following import read_previous
from eplb_xp.cli.later import Backtest, split
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.moved import moved
from eplb_xp.cli.output import documents, show, tables
from eplb_xp.cli.plan_files import as_placement, endings_of, write_placement
from eplb_xp.cli.planning import Backend, Following, Planner, Reach
from eplb_xp.cli.progress import progress
from eplb_xp.formats.placements import OWN


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
    samples: options.Samples = None,
    half_life: options.HalfLife = None,
    previous: options.Previous = None,
    max_moves: options.MaxMoves = None,
    min_gain: options.MinGain = None,
    expert_bytes: options.ExpertBytes = None,
    gpus_per_node: options.GpusPerNode = None,
    far_cost: options.FarCost = None,
    backend: options.Library = Backend.numpy,
    output: options.Output = None,
    format_name: options.Format = OWN,
    layer_numbers: options.LayerNumbers = None,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    r"""Plan where the experts' replicas go, and compare with a placement without EPLB.

    Of several steps the first five sevenths are planned for once more, and that plan judged on the others, at most 64:
    what a plan of these loads is worth later, replicas sharing equally and by shares made for each step.

    With --samples that plan, too, is for as many, or for each of its steps if they are fewer; with --half-life the last
    of its steps counts most. With --previous it follows the plan in use under the same --max-moves and --min-gain, and
    the plan in use is judged as it is.

    For example:

    eplb-xp plan loads.npz --num-replicas 288 --num-gpus 32 -o plan.npz

    eplb-xp plan loads.npz --num-replicas 288 --num-gpus 32 --plot plan.png

    eplb-xp plan loads.npz --num-replicas 320 --num-gpus 64 --steps -10: --json

    eplb-xp plan loads.npz --num-replicas 288 --num-gpus 32 --samples 10 --half-life 50

    eplb-xp plan loads.npz --num-replicas 288 --num-gpus 32 \
    --previous plan.npz --max-moves 10% --expert-bytes 44M
    """
    following_options = {
        "--max-moves": max_moves,
        "--min-gain": min_gain,
        "--expert-bytes": expert_bytes,
        "--gpus-per-node": gpus_per_node,
        "--far-cost": far_cost,
    }
    _check_goes_with_previous(previous, following_options)
    endings = endings_of(format_name, layer_numbers, output)
    expert_size = None if expert_bytes is None else as_bytes(expert_bytes)
    budget = None if max_moves is None else as_moves(max_moves, num_replicas)
    loads = read_loads(file, options.as_steps(steps), options.as_layers(layers), index_column, hidden=json)
    counted = as_counted(samples, half_life, len(loads.over_time))
    sources = [file] if previous is None else [file, previous]
    check_target("--output", output, endings, *sources)
    check_target("--plot", plot, options.PICTURES, *sources)
    layout = Layout(num_replicas, num_groups, num_nodes, num_gpus)
    used = [] if previous is None else [read_previous(previous, loads, layout)]
    reach = Reach(gpus_per_node, 1 if far_cost is None else far_cost)
    following = Following(used[0].plan.phy2log, budget, min_gain or 0.0, *reach) if used else None
    planner = Planner(policy, backend, max_replicas, following)
    parts = split(loads.over_time)
    with progress(1 if parts is None else 2, hidden=json) as announce:
        announce(f"planning {policy}")
        planned = planner.timed_plan(counted.loads(loads.over_time), layout)
        tested = None
        if parts is not None:
            announce("planning from the first steps, judging on later ones")
            past, later = parts
            earlier = planner.plan(counted.loads(past), layout)
            tested = Backtest(tuple(each.plan for each in (*used, earlier)), later, len(past))
        comparison = compare(loads, layout, [*used, planned], tested)._replace(counted=counted)
        if used:
            found = moved(used[0].plan.phy2log, planned.plan.phy2log, layout, gpus_per_node, expert_size)
            comparison = comparison._replace(moved=found)
    show(comparison, tables.comparison, documents.comparison, json=json)
    if output is not None:
        settings = {**counted._asdict(), "max_moves": max_moves, "min_gain": min_gain}
        settings |= {"gpus_per_node": gpus_per_node, "far_cost": far_cost}
        write_placement(output, format_name, as_placement(planned, comparison, settings), layer_numbers)
    if plot is not None:
        from eplb_xp.cli.output import pictures  # noqa: PLC0415  matplotlib takes a while

        pictures.write(plot, pictures.comparison(comparison))


def _check_goes_with_previous(previous: Path | None, given: Mapping[str, object]) -> None:
    """Refuse what says how a plan in use is followed where there is none."""
    for option, value in given.items():
        if value is not None and previous is None:
            raise UserError(f"{option} goes with --previous: give the plan in use")
