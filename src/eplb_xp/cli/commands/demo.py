"""``eplb-xp demo``."""

from pathlib import Path
from typing import Annotated

import typer

from eplb_xp import loads
from eplb_xp.cli import options
from eplb_xp.cli.comparison import compare
from eplb_xp.cli.errors import refusals
from eplb_xp.cli.files import check_target, summed
from eplb_xp.cli.later import Backtest
from eplb_xp.cli.layout import one_more_slot
from eplb_xp.cli.output import documents, show, tables
from eplb_xp.cli.planning import Planner
from eplb_xp.cli.progress import progress
from eplb_xp.cli.traces import save
from eplb_xp.policy import POLICIES

STEPS, PLANNED = 56, 40

Preset = Annotated[str, typer.Option(metavar="NAME", help=f"Loads like those of: {', '.join(loads.PRESETS)}.")]
Seed = Annotated[int, typer.Option(min=0, help="Another seed gives other loads of the same kind.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="LOADS.npz", help="Write the loads, to try the other commands on."),
]


def demo(
    *,
    preset: Preset = "deepseek-v3-decode",
    seed: Seed = 0,
    output: Output = None,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    """Plan generated loads, like those of a real model, with every policy, and judge the plans on what comes next.

    Each GPU gets one slot more than its share of the experts. Of 56 steps the first 40 are planned for, the other 16
    judged, replicas sharing equally and by shares made for each step.

    For example:

    eplb-xp demo -o loads.npz --plot demo.png

    eplb-xp demo --preset gpt-oss-20b --json
    """
    check_target("--output", output, (".npz",))
    check_target("--plot", plot, options.PICTURES)
    with refusals():
        over_time = loads.generate(preset, steps=STEPS, seed=seed)
    past, following = over_time[:PLANNED], over_time[PLANNED:]
    generated = summed(past, f"generated loads, {preset}: the first {PLANNED} of {STEPS} steps, seed {seed}")
    layout = one_more_slot(over_time.shape[2])
    planned = []
    with progress(len(POLICIES) + 1, hidden=json) as announce:
        for policy in POLICIES:
            announce(f"planning {policy}")
            planned.append(Planner(policy).timed_plan(generated.load, layout))
        announce("judging the plans on later steps")
        tested = Backtest(tuple(each.plan for each in planned), following, PLANNED)
        comparison = compare(generated, layout, planned, tested)
    show(comparison, tables.comparison, documents.comparison, json=json)
    if output is not None:
        save(output, over_time, preset, seed)
    if plot is not None:
        from eplb_xp.cli.output import pictures  # noqa: PLC0415  matplotlib takes a while

        pictures.write(plot, pictures.comparison(comparison))
