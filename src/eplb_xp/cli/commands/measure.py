"""``eplb-xp measure``."""

from enum import StrEnum
from typing import Annotated

import typer

from eplb_xp.cli import options
from eplb_xp.cli.errors import UserError, refusals
from eplb_xp.cli.output import measured_machine as output
from eplb_xp.cli.output import show
from eplb_xp.cli.progress import progress
from eplb_xp.simulation import MODELS, machine_of
from eplb_xp.simulation import measure as measured
from eplb_xp.simulation.measuring import EXPERTS, TOKENS


class Library(StrEnum):
    """Libraries that can time a machine."""

    torch = "torch"
    jax = "jax"


Backend = Annotated[Library, typer.Option(metavar="NAME", help="By which library: torch or jax.")]
ModelName = Annotated[str, typer.Option(metavar="NAME", help=f"Whose experts: {', '.join(MODELS)}.")]
Experts = Annotated[int, typer.Option(min=1, metavar="N", help="Experts of one device, side by side.")]


def measure(
    *,
    backend: Backend = Library.torch,
    model: ModelName = "deepseek-v3",
    experts: Experts = EXPERTS,
    json: options.Json = False,
) -> None:
    """Time experts with few and many tokens, and a move to the next device: what simulate counts seconds with.

    On a processor it times that, and says what it can't. Its JSON is what 'eplb-xp simulate' reads as a cost.

    For example:

    eplb-xp measure --model qwen3-235b --experts 2

    eplb-xp measure --model qwen3-235b --experts 2 --json
    """
    if model not in MODELS:
        raise UserError(f"--model must be one of {', '.join(MODELS)}, got {model!r}")
    try:
        machine = machine_of(backend)
    except ImportError as error:
        raise UserError(
            f'--backend {backend} can\'t be imported ({error}): pip install "eplb-xp[{backend}]"'
        ) from error
    with refusals(), progress(len(TOKENS) + 1, hidden=json) as announce:
        found = measured(machine, model, experts=experts, announce=announce)
    show(found, output.table, output.document, json=json)
