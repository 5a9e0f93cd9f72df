"""A file that others wrote, in another format."""

from pathlib import Path
from typing import Any, NamedTuple

from eplb_xp.cli.errors import UserError, refusals, writing
from eplb_xp.cli.files import check_target
from eplb_xp.cli.numbering import check_numbering
from eplb_xp.cli.plan_files import read_plan, write_placement
from eplb_xp.cli.progress import progress
from eplb_xp.formats import loads, placements
from eplb_xp.formats.loads.choosing import chosen
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.slots import folded
from eplb_xp.formats.loads.trace_fields import Fields
from eplb_xp.formats.loads.writing import form_of, write
from eplb_xp.formats.placements import OWN
from eplb_xp.formats.refusing import naming, parsing
from eplb_xp.formats.source import opened

LOADS = "loads"
TARGETS = (LOADS, *placements.FORMATS)
SOURCES = tuple(dict.fromkeys((*loads.NAMES, *placements.FORMATS)))
ENDINGS = (".npz",)


class Converted(NamedTuple):
    """What was written."""

    path: Path
    format_name: str
    sizes: dict[str, int | None]

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"output": str(self.path), "format": self.format_name, **self.sizes}

    def line(self) -> str:
        """For people."""
        sizes = ", ".join(
            f"{size} {name.removeprefix('num_')}" for name, size in self.sizes.items() if size is not None
        )
        return f"{self.path} ({self.format_name}): {sizes}"


class Reading(NamedTuple):
    """Which steps and layers of loads, and how they are read."""

    steps: slice
    layers: slice
    options: Options
    slots: Path | None = None  # the map of what counts slots


class Mapping(NamedTuple):
    """What a placement becomes, and what its file may not say."""

    target: str
    num_gpus: int | None = None
    layer_numbers: str | None = None


def target_of(path: Path, name: str | None, target: str | None, options: Options) -> str:
    """What the file is to become: as asked for, else by its format, else by what it holds."""
    if target is not None:
        if target not in TARGETS:
            raise UserError(f"--to must be one of {', '.join(TARGETS)}, got {target!r}")
        return target
    if path.is_dir() or name in loads.NAMES:
        return LOADS
    if name is not None:
        return OWN
    with refusals(path), opened(path) as source, naming(path), parsing(source.ending):
        return OWN if not loads.is_specific(source, options) and placements.is_specific(source) else LOADS


def check_source(name: str | None, target: str) -> None:
    """Refuse a format that is of another kind, or none."""
    known = loads.NAMES if target == LOADS else tuple(placements.FORMATS)
    if name is not None and name not in known:
        raise UserError(f"--from must be one of {', '.join(known)} for --to {target}, got {name!r}")


def convert_loads(path: Path, output: Path, name: str | None, reading: Reading, *, hidden: bool) -> Converted:
    """Recorded loads as eplb-xp's own."""
    sources = [path] if reading.slots is None else [path, reading.slots]
    check_target("OUT", output, ENDINGS, *sources)
    held = None if reading.slots is None else read_plan(reading.slots).phy2log
    with refusals(path), loads.recorded(path, reading.options, name) as found:
        of_experts = found if held is None else folded(found, held)
        some = chosen(of_experts, reading.steps, reading.layers)
        with progress(2 * len(some.steps), hidden=hidden) as announce:
            form = form_of(some, announce)
            with writing(output):
                write(output, some, form, found.fields or Fields(source=path.name), announce)
    steps, layers, experts = form.shape
    return Converted(output, LOADS, {"num_steps": steps, "num_layers": layers, "num_experts": experts})


def convert_placement(path: Path, output: Path, name: str | None, mapping: Mapping) -> Converted:
    """A placement as another engine's map."""
    target, num_gpus, layer_numbers = mapping
    check_target("OUT", output, placements.FORMATS[target].endings, path)
    check_numbering(target, layer_numbers)
    with refusals(path):
        placement = placements.read(path, name)
    if num_gpus is not None:
        placement = placement._replace(num_gpus=num_gpus)
    write_placement(output, target, placement, layer_numbers)
    layers, slots = placement.phy2log.shape
    experts = int(placement.phy2log.max()) + 1
    sizes = {"num_layers": layers, "num_replicas": slots, "num_experts": experts, "num_gpus": placement.num_gpus}
    return Converted(output, target, sizes)
