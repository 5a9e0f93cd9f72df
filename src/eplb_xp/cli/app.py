"""The commands: loads -> plan -> comparison -> table, file, picture."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from eplb_xp.cli.comparison import compare
from eplb_xp.cli.demo import demo_loads
from eplb_xp.cli.errors import UserError, one_line
from eplb_xp.cli.files import Loads, check_target, read_loads, write_plan
from eplb_xp.cli.planning import Backend, Request, make_plan
from eplb_xp.cli.table import table
from eplb_xp.policy import POLICIES

app = typer.Typer(
    help="Balanced expert placement (EPLB) for Mixture-of-Experts models.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="PLAN.npz", help="Write the plan: phy2log, log2phy, logcnt, sizes, policy."),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="PLAN.png", help="Draw GPU loads before and after; .png, .pdf or .svg."),
]


@app.command("plan")
def plan_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Tokens for each expert, layers x experts, as .npy, or as .npz with an array 'load' or a single "
            "array. Axes before these two, time or domain, are summed.",
        ),
    ],
    *,
    num_replicas: Annotated[int, typer.Option(help="Physical experts of a layer; a multiple of --num-gpus.")],
    num_gpus: Annotated[int, typer.Option(help="GPUs of all nodes.")],
    num_groups: Annotated[int, typer.Option(help="Groups of experts that routing picks together.")] = 1,
    num_nodes: Annotated[
        int, typer.Option(help="Nodes. Groups that divide over them stay whole on a node; else both are ignored.")
    ] = 1,
    policy: Annotated[str, typer.Option(help=f"How to plan: {', '.join(POLICIES)}.")] = "greedy",
    backend: Annotated[Backend, typer.Option(help="Library to plan with; the plan is the same.")] = Backend.numpy,
    output: Output = None,
    plot: Plot = None,
) -> None:
    """Plan where the experts' replicas go, and compare with a placement without EPLB.

    Example:

    eplb-xp plan loads.npz --num-replicas 288 --num-groups 8 --num-nodes 4 --num-gpus 32 -o plan.npz --plot plan.png
    """
    loads = read_loads(file)
    request = Request(num_replicas, num_groups, num_nodes, num_gpus, policy, backend)
    _compare(loads, request, output, plot, source=file)


@app.command()
def demo(output: Output = None, plot: Plot = None) -> None:
    """Plan for small generated loads: 12 layers, 64 experts, 72 replicas on 8 GPUs of 2 nodes.

    Example:

    eplb-xp demo --plot plan.png
    """
    _compare(demo_loads(), Request(72, 4, 2, 8, "greedy", Backend.numpy), output, plot, source=None)


def _compare(loads: Loads, request: Request, output: Path | None, plot: Path | None, source: Path | None) -> None:
    if output is not None:
        check_target("--output", output, (".npz",), source)
    if plot is not None:
        check_target("--plot", plot, (".png", ".pdf", ".svg"), source)
    timed = make_plan(loads.load, request)
    before, after = compare(loads.load, timed.plan, request)
    Console().print(table(loads, request, timed, before, after))
    if output is not None:
        write_plan(output, timed.plan, request)
    if plot is not None:
        from eplb_xp.cli.plot import write_plot  # noqa: PLC0415  matplotlib takes a while

        write_plot(plot, loads, request, before, after)


def run(args: list[str] | None) -> int:
    """Run a command; what the user can mend ends with one line on stderr and 2, not with a traceback."""
    # What doesn't parse. Of these errors typer exports children only.
    usage_error: Any = typer.BadParameter.__mro__[1]
    try:
        return int(app(args, prog_name="eplb-xp", standalone_mode=False) or 0)
    except UserError as error:
        message = str(error)
    except usage_error as error:
        message = f"{error.format_message()} (eplb-xp --help says more)"
    print("eplb-xp:", one_line(message), file=sys.stderr)
    return 2
