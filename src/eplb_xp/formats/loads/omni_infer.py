"""omni-infer's log: a line for each step, rank and layer, with the counts of the positions on that rank."""

import re
from collections.abc import Iterable

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded
from eplb_xp.formats.source import MARK_OF_LOGS, Kind, Source
from eplb_xp.formats.tables.placing import MOST

LINE = re.compile(
    r"\[dump activation\] (\w+) step (\d{1,9}) in rank (\d{1,9}) for layer (\d{1,9}) get (\d{1,9}) experts data: "
    r"([\d\s]*)"
)


def recognises(source: Source, _: Options) -> bool:
    """Text with such lines."""
    return source.kind == Kind.text and MARK_OF_LOGS in source.head


def read(source: Source, _: Options) -> Recorded:
    """All steps of a log; ranks stand side by side."""
    return joined([source])


def joined(sources: Iterable[Source]) -> Recorded:
    """The logs of several ranks, taken as one."""
    counts: dict[tuple[str, int], dict[tuple[int, int], Numbers]] = {}
    for source in sources:
        source.file.seek(0)
        for number, line in enumerate(source.file, 1):
            if MARK_OF_LOGS in line:
                _add(counts, line.decode(errors="replace").strip(), f"line {number} of {source.path.name}")
    places = {place for each in counts.values() for place in each}
    layers, ranks = (max(numbers) + 1 for numbers in zip(*places, strict=True))
    width = {len(row) for each in counts.values() for row in each.values()}
    if len(width) != 1:
        raise UnfitError(f"every rank must have the same number of experts, got {sorted(width)}")
    (local,) = width
    if layers * ranks * local > MOST:
        raise UnfitError(f"layer {layers - 1} and rank {ranks - 1} of {local} experts make more than {MOST} loads")
    steps = sorted(counts)

    def step(number: int) -> Numbers:
        load = np.zeros((layers, ranks, local), np.int64)
        for (layer, rank), row in counts[steps[number]].items():
            load[layer, rank] = row
        return load.reshape(layers, -1)

    return Recorded(len(steps), layers, step)


def _add(counts: dict[tuple[str, int], dict[tuple[int, int], Numbers]], line: str, where: str) -> None:
    found = LINE.search(line.replace("\\t", "\t"))  # some logs have the tabs as two letters
    if not found:
        raise UnfitError(f"{where} must be a step, rank, layer and counts as omni-infer writes them: {line[:60]!r}")
    phase, step, rank, layer, number, data = found.groups()
    row = np.array([int(count) for count in data.split()], np.int64)
    if len(row) != int(number) or len(row) == 0:
        raise UnfitError(f"{where} says {number} experts and has {len(row)} counts")
    of_step = counts.setdefault((phase, int(step)), {})
    if (int(layer), int(rank)) in of_step:
        raise UnfitError(f"{where} has rank {rank} of layer {layer} in {phase} step {step} once more")
    of_step[int(layer), int(rank)] = row
