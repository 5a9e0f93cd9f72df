"""Cells of tables: text, or numbers already."""

import json
from typing import Any

from eplb_xp.formats.fields import UnfitError


def as_number(cell: object) -> int | float | None:
    """The number that a cell holds, if it holds one."""
    if not isinstance(cell, str):
        return cell if isinstance(cell, (int, float)) and not isinstance(cell, bool) else None
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            pass
    return None


def as_index(cell: object) -> int | None:
    """The whole number from 0 that a cell holds, if it holds one; tables with gaps write 3 as 3.0."""
    number = as_number(cell)
    if number is None or number < 0 or number % 1:  # NaN and infinity have no remainder that is zero
        return None
    return int(number)


def load_in(cell: object, where: str) -> int | float:
    """The load that a cell holds."""
    number = as_number(cell)
    if number is None:
        parted = ", separated by commas," if isinstance(cell, str) else ","
        raise UnfitError(f"cells must be numbers{parted} got {_shown(cell)} at {where}")
    return number


def index_in(cell: object, name: str, where: str) -> int:
    """The number of a step, a layer or an expert."""
    index = as_index(cell)
    if index is None:
        raise UnfitError(f"{name} must be a number from 0, got {_shown(cell)} at {where}")
    return index


def _shown(cell: Any) -> str:
    """A cell, as far as a line has room."""
    return repr(cell[:30]) if isinstance(cell, str) else json.dumps(cell)[:30]
