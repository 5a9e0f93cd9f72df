"""vLLM's load window (PR 26176): one tensor of logical counts in a file of safetensors."""

from eplb_xp.formats.fields import NAMES, name_of_loads
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Kind, Source
from eplb_xp.formats.tables.plain import plain


def recognises(source: Source, _: Options) -> bool:
    """Any safetensors by themselves."""
    return source.kind == Kind.safetensors


def read(source: Source, options: Options) -> Recorded:
    """The tensor under ``load`` or ``logical_count``, or the only one."""
    names = [*source.safetensors.keys()]
    wanted = f"a tensor {NAMES[0]!r} or {NAMES[1]!r}, or only one"
    name = names[0] if len(names) == 1 else name_of_loads(names, wanted)
    return plain(of_array(source.safetensors.get_tensor(name)), options.index_column)
