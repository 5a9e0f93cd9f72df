"""Plans in files of torch.save: torch.load makes no objects of classes that nobody has named to it."""

import functools
import sys
from collections.abc import Callable
from typing import Any

from eplb_xp.policy import Policy
from eplb_xp.types import Frontier, Moves, Plan, Prepared, Report, SharedReport, Shares


def name_to_torch() -> None:
    """Let torch.load make plans, reports and policies, once torch has been imported so far that it can be told."""
    add = getattr(sys.modules.get("torch.serialization"), "add_safe_globals", None)
    if add is not None:
        _name_once(add)


@functools.cache
def _name_once(add: Callable[[list[Any]], None]) -> None:
    add([Plan, Report, SharedReport, Policy, Prepared, Shares, Moves, Frontier])
