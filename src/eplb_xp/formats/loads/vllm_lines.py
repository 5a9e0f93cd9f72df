"""vLLM's load statistics (PR 41141): JSON lines, slots counted under the map that stands beside them."""

import json
from typing import Any

from eplb_xp.formats.fields import Numbers, UnfitError
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded
from eplb_xp.formats.loads.slots import checked_map, of_experts
from eplb_xp.formats.source import Kind, Source

TYPE = "eplb_load_stats"
VERSION = 1


def recognises(source: Source, _: Options) -> bool:
    """Lines that are records of loads."""
    return source.kind == Kind.lines and b"eplb_load_" in source.head


def read(source: Source, _: Options) -> Recorded:
    """A step for each record; lines are parsed when their step is read."""
    starts = []
    source.file.seek(0)
    start = 0
    for number, line in enumerate(source.file, 1):
        if TYPE.encode() in line:
            starts.append((number, start))
        elif line.strip() and b"eplb_load_meta" not in line:
            raise UnfitError(f"line {number} is no record of type {TYPE} or eplb_load_meta: {line[:30]!r}")
        start += len(line)
    if not starts:
        raise UnfitError(f"there is no record of type {TYPE}")

    def loads(number: int) -> tuple[Numbers, Numbers, int]:
        line, start = starts[number]
        source.file.seek(start)
        record = _record(line, source.file.readline())
        phy2log = checked_map(f"p2l_map in line {line}", record["p2l_map"])
        return record["expert_load"], phy2log, line

    first = loads(0)[1]
    experts = int(first.max()) + 1

    def step(number: int) -> Numbers:
        load, phy2log, line = loads(number)
        if phy2log.max() >= experts:
            raise UnfitError(f"p2l_map in line {line} has expert {phy2log.max()}, and the first one {experts} experts")
        return of_experts(f"expert_load in line {line}", load, phy2log, experts)

    return Recorded(len(starts), len(first), step)


def _record(number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise UnfitError(f"line {number} is no JSON: {error}") from error
    if not isinstance(record, dict) or not {"expert_load", "p2l_map"} <= {*record}:
        raise UnfitError(f"line {number} must be an object with expert_load and p2l_map")
    if record.get("version", VERSION) != VERSION:
        raise UnfitError(f"line {number} is of version {str(record['version'])[:20]}, and {VERSION} is read")
    return record
