"""SGLang's recorder in modes per_pass and per_token: a file a rank, slots counted in each forward pass."""

from typing import Any

import numpy as np

from eplb_xp.formats.containers.tensors import of_torch
from eplb_xp.formats.fields import Numbers, UnfitError, whole
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded
from eplb_xp.formats.loads.slots import checked_map, of_experts
from eplb_xp.formats.source import Kind, Source

MAP = "last_physical_to_logical_map"
COUNT = "global_physical_count"


def recognises(source: Source, _: Options) -> bool:
    """A dict with ``records`` and the map."""
    return source.kind == Kind.pt and {"records", MAP} <= source.names()


def read(source: Source, _: Options) -> Recorded:
    """A step for each forward pass, folded with the map; what a pass has several records of is summed."""
    array = of_torch().array
    records = source.tensors["records"]
    phy2log = checked_map(MAP, array(source.tensors[MAP]))
    if not isinstance(records, list) or not records:
        raise UnfitError("records must be a list of forward passes, at least one")
    passes: dict[int, list[Any]] = {}
    ranks = set()
    for number, record in enumerate(records):
        if not isinstance(record, dict) or not {"forward_pass_id", "rank", COUNT} <= {*record}:
            raise UnfitError(f"records[{number}] must have forward_pass_id, rank and {COUNT}")
        passes.setdefault(whole("forward_pass_id", record["forward_pass_id"]), []).append(record[COUNT])
        ranks.add(whole("rank", record["rank"]))
    if len(ranks) > 1:
        raise UnfitError(f"a file has the records of one rank, got those of {sorted(ranks)[:8]}")
    labels = tuple(sorted(passes))
    experts = int(phy2log.max()) + 1

    def step(number: int) -> Numbers:
        found = [of_experts(COUNT, array(each), phy2log, experts) for each in passes[labels[number]]]
        return np.sum(found, axis=0)

    return Recorded(len(labels), len(phy2log), step, labels, ranks.pop())
