"""Megatron-core's recorder: a .npz a rank, ``loads`` [layers, forwards, experts], of which not all rows are written."""

from eplb_xp.formats.containers.npz import Archive
from eplb_xp.formats.fields import Numbers, UnfitError, matrix, whole
from eplb_xp.formats.loads.numbered import by_number
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded
from eplb_xp.formats.source import Kind, Source

KEYS = {"loads", "layer_numbers", "forward_counts"}


def recognises(source: Source, _: Options) -> bool:
    """An archive with all three keys."""
    return source.kind == Kind.npz and source.names() >= KEYS


def read(source: Source, _: Options) -> Recorded:
    """A step for each forward pass that every layer has, each layer placed by its number.

    What is behind a layer's ``forward_counts`` was never written, and may be anything.
    """
    archive = source.archive
    loads = matrix("loads", archive.array("loads"), "iu", "[layers, forwards, experts]")
    layer_numbers = matrix("layer_numbers", archive.array("layer_numbers"), "iu", "[layers]")
    numbers = [whole("layer_numbers", number) for number in layer_numbers]
    counts = matrix("forward_counts", archive.array("forward_counts"), "iu", "[layers]")
    layers, forwards, _ = loads.shape
    if len(numbers) != layers or len(counts) != layers or counts.min() < 0 or counts.max() > forwards:
        raise UnfitError(
            f"loads of {layers} layers and {forwards} forwards have {len(numbers)} layer_numbers and "
            f"{len(counts)} forward_counts, {counts.min()} to {counts.max()}"
        )
    if counts.min() == 0:
        raise UnfitError(f"layer {numbers[int(counts.argmin())]} has no forward pass: forward_counts is 0")

    def step(number: int) -> Numbers:
        return by_number(numbers, loads[:, number])

    rank = _number(archive, "global_rank", _number(archive, "ep_rank", None))
    return Recorded(int(counts.min()), max(numbers) + 1, step, rank=rank, ranks=_group(archive))


def _number(archive: Archive, name: str, default: int | None) -> int | None:
    return whole(name, archive.array(name).item()) if name in archive and archive.head(name).size <= 8 else default


def _group(archive: Archive) -> tuple[int, ...] | None:
    """The ranks whose counts belong together."""
    if "ep_group_ranks" in archive:
        return tuple(int(rank) for rank in matrix("ep_group_ranks", archive.array("ep_group_ranks"), "iu", "[ranks]"))
    return tuple(range(size)) if (size := _number(archive, "ep_size", None)) is not None and size < 2**20 else None
