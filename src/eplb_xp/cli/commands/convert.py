"""``eplb-xp convert``."""

import json as standard_json
from pathlib import Path
from typing import Annotated

import typer

from eplb_xp.cli import options
from eplb_xp.cli.converting import (
    LOADS,
    SOURCES,
    TARGETS,
    Mapping,
    Reading,
    check_source,
    convert_loads,
    convert_placement,
    target_of,
)
from eplb_xp.cli.errors import UserError
from eplb_xp.formats.loads.options import Options

In = Annotated[
    Path,
    typer.Argument(
        metavar="IN",
        help="What an engine recorded, or a folder with such a file of each rank, or a map of experts to slots.",
    ),
]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="What is written; how it must end depends on the format.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="NAME", help=f"Only if IN is of this format, else refuse it: {', '.join(SOURCES)}."),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="NAME",
        help=f"What OUT is to be: {', '.join(TARGETS)}. By default loads, or eplb-xp if IN can only be a map; arrays "
        "and lists by themselves are loads unless a map is wanted.",
    ),
]
Gpus = Annotated[
    int | None, typer.Option(help="GPUs that a map is for, if IN doesn't say it; vllm-ascend and expert-map take it.")
]
NumLayers = Annotated[
    int | None, typer.Option(min=1, help="How many rows a step has in MindIE's tables, which don't say it.")
]
Slots = Annotated[
    Path | None,
    typer.Option(
        metavar="MAP", help="IN counts tokens of slots, not of experts, and this map says which expert is in each."
    ),
]


def convert(
    source: In,
    output: Out,
    *,
    from_format: From = None,
    to_format: To = None,
    steps: options.Steps = ":",
    layers: options.Layers = ":",
    index_column: options.IndexColumn = None,
    num_layers: NumLayers = None,
    slots: Slots = None,
    num_gpus: Gpus = None,
    layer_numbers: options.LayerNumbers = None,
    json: options.Json = False,
) -> None:
    """Read what an engine wrote: loads become a .npz for every other command, a plan another engine's map.

    IN is known by its content, whatever its ending; the ranks of a folder are summed.

    For example:

    eplb-xp convert loads.npz decode.npz --steps -10:

    eplb-xp convert plan.npz sglang.json --to sglang

    eplb-xp convert plan.npz balancer.yaml --to tensorrt-llm --layer-numbers 3:

    eplb-xp convert plan.npz expert_map.json --to vllm-ascend --json
    """
    reading = Reading(options.as_steps(steps), options.as_layers(layers), Options(index_column, num_layers), slots)
    target = target_of(source, from_format, to_format, reading.options)
    check_source(from_format, target)
    if target == LOADS:
        _check_unused(target, {"--num-gpus": num_gpus, "--layer-numbers": layer_numbers})
        converted = convert_loads(source, output, from_format, reading, hidden=json)
    else:
        given: dict[str, object] = {"--slots": slots, "--num-layers": num_layers, "--index-column": index_column}
        given |= {"--steps": None if steps == ":" else steps, "--layers": None if layers == ":" else layers}
        _check_unused(target, given)
        converted = convert_placement(source, output, from_format, Mapping(target, num_gpus, layer_numbers))
    print(standard_json.dumps(converted.document()) if json else converted.line())


def _check_unused(target: str, given: dict[str, object]) -> None:
    """Refuse options that say nothing about what is converted."""
    for option, value in given.items():
        if value is not None:
            raise UserError(f"{option} goes not with --to {target}")
