"""Loads that come with their numbers, in an array."""

import math
from collections.abc import Sequence

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError
from eplb_xp.formats.tables.names import INDICES
from eplb_xp.formats.tables.plain import FEWEST

MOST = 2**24  # loads that a table with few rows may make, most of them zero


def placed(places: Sequence[tuple[str, tuple[int, ...]]], loads: Numbers) -> Numbers:
    """The loads, or rows of them, each at its step, layer and perhaps expert; zero where there is none."""
    there: dict[tuple[int, ...], str] = {}
    for where, place in places:
        if place in there:
            what = ", ".join(f"{name} {number}" for name, number in zip(INDICES, place, strict=False))
            raise UnfitError(f"{what} is there twice, again at {where}")
        there[place] = where
    sizes = [max(numbers) + 1 for numbers in zip(*there, strict=True)] or [0] * len(INDICES)
    sizes += loads.shape[1:]
    # Checked before anything of that size is made.
    if math.prod(sizes) > max(MOST, 16 * loads.size):
        raise UnfitError(
            f"the largest numbers of a step, a layer and an expert make {' x '.join(map(str, sizes))} loads, too many "
            f"for the {loads.size} that are there; does a column hold something else?"
        )
    load = np.zeros(sizes, loads.dtype)
    load[tuple(np.transpose([*there]))] = loads
    return load


def check_numbering(places: Sequence[tuple[int, ...]]) -> None:
    """Refuse full tables of loads whose experts count from 1: there would be one more, without load."""
    experts = {expert for *_, expert in places}
    count = len(experts)
    layers = {tuple(layer) for *layer, _ in places}
    if count >= FEWEST and experts == set(range(1, count + 1)) and len(places) == count * len(layers):
        raise UnfitError(
            f"experts are numbered from 0, but every layer has a row for each of experts 1 to {count}, and none for 0: "
            "count from 0, or give expert 0 rows with load 0"
        )
