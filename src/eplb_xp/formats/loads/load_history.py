"""ADRS' and OpenEvolve's recordings of vLLM: ``load_history``, a list of steps with ``logical_expert_load``."""

import json
import mmap
import re

from eplb_xp.formats.fields import Numbers, UnfitError, matrix
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded
from eplb_xp.formats.source import Kind, Source

HISTORY = b'"load_history"'
STEP = re.compile(rb'"logical_expert_load"\s*:\s*')


def recognises(source: Source, _: Options) -> bool:
    """An object that begins with the history."""
    return source.kind == Kind.json and HISTORY in source.head


def read(source: Source, _: Options) -> Recorded:
    """A step for each object, parsed when it is read: such files have hundreds of megabytes."""
    text = source.stack.enter_context(mmap.mmap(source.file.fileno(), 0, access=mmap.ACCESS_READ))
    starts = [found.end() for found in STEP.finditer(text)]
    if not starts:
        raise UnfitError("load_history must be a list of objects with logical_expert_load")
    if not text[-1024:].rstrip().endswith(b"}"):
        raise UnfitError("the file ends before its last object does")

    def step(number: int) -> Numbers:
        end = starts[number + 1] if number + 1 < len(starts) else len(text)
        try:
            load, _ = json.JSONDecoder().raw_decode(text[starts[number] : end].decode())
        except ValueError as error:
            raise UnfitError(f"logical_expert_load of step {number} is no JSON: {error}") from error
        return matrix(f"logical_expert_load of step {number}", load, "iuf", "[layers, experts]")

    return Recorded(len(starts), len(step(0)), step)
