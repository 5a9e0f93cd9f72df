"""Formats of recorded loads, all there are: told apart by content, read a step at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from eplb_xp.formats.fields import Numbers, UnfitError, listed
from eplb_xp.formats.folders import files_of
from eplb_xp.formats.loads import (
    arrays,
    csv_files,
    dlblas,
    json_files,
    load_history,
    megatron,
    mindie,
    omni_infer,
    sglang_jax,
    sglang_passes,
    tensorrt_llm,
    trace,
    vllm_explore,
    vllm_lines,
    vllm_safetensors,
)
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, ranks_summed
from eplb_xp.formats.refusing import naming, naming_rank, parsing
from eplb_xp.formats.source import Source, opened


class LoadFormat(NamedTuple):
    """How files of loads are known and read."""

    recognises: Callable[[Source, Options], bool]
    read: Callable[[Source, Options], Recorded]
    # How a folder of such files is one recording; by default all ranks are summed.
    join: Callable[[Sequence[Source], Options], Recorded] | None = None


# The first that recognises a file reads it, so what would take anything stands last; a history is so large that it
# must not be parsed by those that look for names.
FORMATS = {
    "sglang-passes": LoadFormat(sglang_passes.recognises, sglang_passes.read),
    "sglang-jax": LoadFormat(sglang_jax.recognises, sglang_jax.read),
    "vllm": LoadFormat(vllm_lines.recognises, vllm_lines.read),
    "vllm-window": LoadFormat(vllm_safetensors.recognises, vllm_safetensors.read),
    "load-history": LoadFormat(load_history.recognises, load_history.read),
    "vllm-explore": LoadFormat(vllm_explore.recognises, vllm_explore.read),
    "megatron": LoadFormat(megatron.recognises, megatron.read),
    "dlblas": LoadFormat(dlblas.recognises, dlblas.read),
    "omni-infer": LoadFormat(omni_infer.recognises, omni_infer.read, lambda sources, _: omni_infer.joined(sources)),
    "mindie": LoadFormat(mindie.recognises, mindie.read, mindie.joined),
    "trace": LoadFormat(trace.recognises, trace.read),
    "arrays": LoadFormat(arrays.recognises, arrays.read),
    "json": LoadFormat(json_files.recognises, json_files.read),
    "table": LoadFormat(csv_files.recognises, csv_files.read),
}
GENERAL = {"arrays", "json", "table"}
FOLDER = "tensorrt-llm"  # a folder by its nature
NAMES = (*FORMATS, FOLDER)


@contextmanager
def recorded(path: Path, options: Options, name: str | None = None) -> Iterator[Recorded]:
    """The loads of a file, or of a folder of ranks, open as long as steps are read; what is unfit is a ValueError.

    With a name, of this format alone.
    """
    with ExitStack() as stack, naming(path):
        kind = "folder"
        if path.is_dir():
            with parsing(kind):
                found = _of_folder(path, options, name, stack)
        else:
            source = stack.enter_context(opened(path))
            kind = source.ending
            with parsing(kind):
                found = format_of(source, options, name).read(source, options)

        def step(number: int) -> Numbers:
            with parsing(kind):
                return found.step(number)

        yield found._replace(step=step)


def _of_folder(folder: Path, options: Options, name: str | None, stack: ExitStack) -> Recorded:
    if tensorrt_llm.recognises(folder) and name in (None, FOLDER):
        return tensorrt_llm.read(folder, stack)
    return _joined([stack.enter_context(opened(file)) for file in files_of(folder)], options, name)


def format_of(source: Source, options: Options, name: str | None = None) -> LoadFormat:
    """Of a file."""
    found = next((its for its, each in FORMATS.items() if each.recognises(source, options)), None)
    if name is not None and name != found:
        read_as = "read as no loads" if found is None else f"read as {found}"
        raise UnfitError(f"by its content it is no file of {name}: it would be {read_as}")
    if found is None:
        raise UnfitError(f"no loads are read from files like this; the formats are {', '.join(NAMES)}")
    return FORMATS[found]


def is_specific(source: Source, options: Options) -> bool:
    """Whether it can be nothing but recorded loads."""
    return any(each.recognises(source, options) for name, each in FORMATS.items() if name not in GENERAL)


def _joined(sources: Sequence[Source], options: Options, name: str | None) -> Recorded:
    """The ranks of a folder, all of one format."""
    names = [source.path.name for source in sources]
    formats = []
    for source in sources:
        with naming_rank(source.path.name, source.ending):
            formats.append(format_of(source, options, name))
    if len(set(formats)) > 1:
        known = [name for name, each in FORMATS.items() if each in formats]
        raise UnfitError(f"a folder must hold the files of all ranks in one format, and these are {', '.join(known)}")
    (found,) = set(formats)
    if found.join is not None:
        return found.join(sources, options)
    if found == FORMATS["table"] and not all(csv_files.has_header(source) for source in sources):
        raise UnfitError(
            f"tables of ranks must have a header, such as layer_id,expert_id,count: {listed(names)}; MindIE's have "
            "none, and num_layers says how many rows a step has"
        )
    parts = []
    for source in sources:
        with naming_rank(source.path.name, source.ending):
            parts.append(found.read(source, options))
    return ranks_summed(names, parts)
