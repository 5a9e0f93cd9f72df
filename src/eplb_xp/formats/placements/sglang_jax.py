"""sglang-jax's ``--init-expert-location``: .npy of an array [layers, slots], or of a dict with it."""

from pathlib import Path

import numpy as np

from eplb_xp.formats.containers.npy import Steps
from eplb_xp.formats.fields import UnfitError, listed
from eplb_xp.formats.placements.checking import checked
from eplb_xp.formats.placements.placement import Placement
from eplb_xp.formats.placements.sglang import KEY
from eplb_xp.formats.source import Kind, Source

ENDINGS = (".npy",)


def recognises(source: Source) -> bool:
    """Any .npy: what it holds is a map where a map is wanted."""
    return source.kind == Kind.npy


def read(source: Source) -> Placement:
    """The map."""
    if not source.is_dict:
        return Placement(checked(KEY, Steps(source.file, source.header, source.size).all()))
    content = source.pickled
    if KEY not in content:
        raise UnfitError(f"there must be {KEY}; found: {listed(content)}")
    return Placement(checked(KEY, content[KEY]))


def write(path: Path, placement: Placement) -> None:
    """The array alone."""
    np.save(path, placement.phy2log)
