"""Formats of placements, all there are: told apart by content, read, and written under their names."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from eplb_xp.formats.fields import UnfitError
from eplb_xp.formats.placements import (
    expert_map,
    own,
    sglang,
    sglang_jax,
    tensorrt_llm,
    vllm,
    vllm_ascend,
    vllm_list,
)
from eplb_xp.formats.placements.checking import check_complete
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.refusing import naming, parsing
from eplb_xp.formats.source import Source, opened


class PlacementFormat(NamedTuple):
    """How files of placements are known, read and written."""

    endings: tuple[str, ...]  # of what is written
    recognises: Callable[[Source], bool]
    read: Callable[[Source], Placement]
    write: Callable[[Path, Placement], None]


# The first that recognises a file reads it; eplb-xp's own takes every other object and archive.
FORMATS = {
    "sglang": PlacementFormat(sglang.ENDINGS, sglang.recognises, sglang.read, sglang.write),
    "sglang-jax": PlacementFormat(sglang_jax.ENDINGS, sglang_jax.recognises, sglang_jax.read, sglang_jax.write),
    "vllm": PlacementFormat(vllm.ENDINGS, vllm.recognises, vllm.read, vllm.write),
    "vllm-list": PlacementFormat(vllm_list.ENDINGS, vllm_list.recognises, vllm_list.read, vllm_list.write),
    "tensorrt-llm": PlacementFormat(
        tensorrt_llm.ENDINGS, tensorrt_llm.recognises, tensorrt_llm.read, tensorrt_llm.write
    ),
    "vllm-ascend": PlacementFormat(vllm_ascend.ENDINGS, vllm_ascend.recognises, vllm_ascend.read, vllm_ascend.write),
    "expert-map": PlacementFormat(expert_map.ENDINGS, expert_map.recognises, expert_map.read, expert_map.write),
    "eplb-xp": PlacementFormat(own.ENDINGS, own.recognises, own.read, own.write),
}
OWN = "eplb-xp"
NUMBERED = "tensorrt-llm"  # layers have the model's numbers


def read(path: Path, name: str | None = None) -> Placement:
    """A placement, whoever made it, or of this format alone; what is unfit is a ValueError that names the file."""
    with opened(path) as source, naming(path), parsing(source.ending, "a plan"):
        return format_of(source, name).read(source)


def format_of(source: Source, name: str | None = None) -> PlacementFormat:
    """Of a file."""
    found = next((its for its, each in FORMATS.items() if each.recognises(source)), None)
    if found is None:
        raise UnfitError(f"no plan is read from files like this; the formats are {', '.join(FORMATS)}")
    if name not in (None, found):
        raise UnfitError(f"by its content it is no file of {name}: it would be read as {found}")
    return FORMATS[found]


def is_specific(source: Source) -> bool:
    """Whether it can be nothing but a placement."""
    found = next((its for its, each in FORMATS.items() if each.recognises(source)), None)
    if found == "sglang-jax":
        return source.is_dict and sglang.KEY in source.pickled
    if found == "expert-map":  # loads are never negative
        return expert_map.has_gaps(source)
    return found not in {None, "vllm-list", OWN} or (found == OWN and "phy2log" in source.names())


def write(path: Path, name: str, placement: Placement) -> None:
    """A placement in a format; a ValueError says what that format can't hold."""
    check_complete(placement)
    FORMATS[name].write(path, placement)
