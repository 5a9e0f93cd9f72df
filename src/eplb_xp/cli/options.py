"""The options that commands share, each defined once."""

import inspect
from pathlib import Path
from typing import Annotated

import typer

from eplb_xp.cli.errors import UserError
from eplb_xp.cli.planning import Backend
from eplb_xp.formats.placements import FORMATS
from eplb_xp.planning import rebalance_experts
from eplb_xp.policy import POLICIES

DEFAULT_POLICY: str = inspect.signature(rebalance_experts).parameters["policy"].default
PICTURES = (".png", ".pdf", ".svg")

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="Tokens for each expert, layers x experts, perhaps of several steps: a file of arrays or a table, or what "
        "an engine recorded; a folder holds a file of each rank. The steps are summed.",
    ),
]
Replicas = Annotated[int, typer.Option(help="Physical experts of a layer; a multiple of --num-gpus.")]
Gpus = Annotated[int, typer.Option(help="GPUs of all nodes.")]
Groups = Annotated[int, typer.Option(help="Groups of experts that routing picks together.")]
Nodes = Annotated[
    int, typer.Option(help="Nodes. Groups that divide over them stay whole on a node; else both are ignored.")
]
MaxReplicas = Annotated[
    int | None, typer.Option(help="The most replicas of one expert, and the width of log2phy; not with greedy.")
]
PolicyName = Annotated[
    str, typer.Option("--policy", help=f"How to plan: {', '.join(POLICIES)}; greedy is EPLB's own way.")
]
Library = Annotated[
    Backend, typer.Option("--backend", metavar="NAME", help=f"Library, the plan is the same: {', '.join(Backend)}.")
]
Samples = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Plan for so many samples of the steps, blocks of consecutive ones, not for their sum."
    ),
]
HalfLife = Annotated[
    float | None,
    typer.Option(metavar="STEPS", help="In so many steps a step comes to count half, with --samples or without."),
]
Previous = Annotated[
    Path | None,
    typer.Option(
        metavar="PLAN", help="The plan in use, of the same sizes, ours or an engine's map: the new one follows."
    ),
]
MaxMoves = Annotated[
    str | None,
    typer.Option(
        metavar="K",
        help="With --previous, slots of a layer that may receive an expert, as a number or as a share of the slots "
        "such as 10%, rounded down. By default the plan is fresh, and its GPUs are called so that few slots move.",
    ),
]
MinGain = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="With --previous, layers whose busiest GPU would fall by less than this share keep their plan.",
    ),
]
ExpertBytes = Annotated[
    str | None,
    typer.Option(
        metavar="B",
        help="With --previous, the weights of one expert of one layer, in bytes, or as 44M: K, M and G are powers of "
        "1000. Says how many bytes move.",
    ),
]
GpusPerNode = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="With --previous, GPUs near each other: what moves between others is counted as across nodes.",
    ),
]
FarCost = Annotated[
    int | None,
    typer.Option(
        metavar="C",
        help="With --max-moves and --gpus-per-node, what a move across nodes counts in the budget; by default 1.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PLAN",
        help="Write the plan as .npz or .json: phy2log, log2phy, logcnt, the sizes, what it was made with, the "
        "balancedness of each layer, which layers they are, and which had no tokens; or as --format says.",
    ),
]
Format = Annotated[
    str, typer.Option("--format", metavar="NAME", help=f"What -o writes, for which engine: {', '.join(FORMATS)}.")
]
LayerNumbers = Annotated[
    str | None,
    typer.Option(
        metavar="A:",
        help="With tensorrt-llm, the model's numbers of the layers, such as 3: from 3 on, 3:61, or 3,4,6. By default "
        "those that the layers have in FILE.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="PNG", help="Draw a picture: .png, .pdf or .svg.")]
Steps = Annotated[
    str,
    typer.Option(
        metavar="A:B", show_default=False, help="Only these steps, counted as Python counts: 100:200, :50 or -10:."
    ),
]
Layers = Annotated[
    str,
    typer.Option(
        metavar="A:B", show_default=False, help="Only these layers, counted as Python counts, such as 3: or 1:27."
    ),
]
IndexColumn = Annotated[
    bool | None,
    typer.Option(
        "--index-column/--no-index-column",
        show_default=False,
        help="Whether the first column of FILE numbers the rows, as pandas writes it, and is left out, or holds loads. "
        "By default one that counts from 0 or 1 is refused.",
    ),
]
GpuList = Annotated[
    str | None, typer.Option("--num-gpus", metavar="A,B", help="Numbers of GPUs; by default three usual ones.")
]
ReplicaList = Annotated[
    str | None,
    typer.Option(
        "--num-replicas",
        metavar="A,B,C",
        help="Numbers of replicas; by default those that leave a GPU 0, 1, 2, 4 or 8 slots for spare ones.",
    ),
]


def as_steps(steps: str) -> slice:
    """The value of ``--steps``."""
    chosen = _slice(steps)
    if chosen is None:
        raise UserError(f"--steps must be A:B as in Python, such as 100:200, :50 or -10:, got {steps!r}")
    return chosen


def as_layers(layers: str) -> slice:
    """The value of ``--layers``, which stay in their order, as those of a plan are."""
    chosen = _slice(layers)
    if chosen is None or (chosen.step or 1) < 0:
        raise UserError(f"--layers must be A:B as in Python, such as 3:, 1:27 or -10:, and ascend, got {layers!r}")
    return chosen


def _slice(text: str) -> slice | None:
    try:
        chosen = slice(*(int(part) if part.strip() else None for part in text.split(":")))
    except (TypeError, ValueError):  # more than three parts, or no numbers
        return None
    return chosen if ":" in text and chosen.step != 0 else None


def as_numbers(option: str, numbers: str | None) -> tuple[int, ...] | None:
    """Different numbers, ascending, if there are any."""
    if numbers is None:
        return None
    try:
        chosen = sorted({int(part) for part in numbers.split(",")})
    except ValueError:
        chosen = [0]
    if chosen[0] < 1:
        raise UserError(f"{option} must be numbers from 1 up with commas between, such as 8,16, got {numbers!r}")
    return tuple(chosen)
