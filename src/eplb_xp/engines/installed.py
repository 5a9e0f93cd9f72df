"""Which engines will find an adapter, and why others won't."""

import os
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import NamedTuple

from eplb_xp.engines.settings import POLICY, from_environment

# The package of each engine that calls entry points, the group of these, and what limits them by name.
ENGINES = (
    ("vllm", "vllm.general_plugins", "VLLM_PLUGINS", "eplb_xp"),
    ("vllm-ascend", "vllm.general_plugins", "VLLM_PLUGINS", "eplb_xp_ascend"),
    ("sglang", "sglang.srt.plugins", "SGLANG_PLUGINS", "eplb_xp"),
)


class Adapter(NamedTuple):
    """An engine, and whether eplb-xp will plan there."""

    engine: str
    version: str | None  # None where it is not installed
    entry_point: str
    is_seen: bool  # the entry point, in this environment
    is_used: bool
    reason: str  # how it is used, or why not


def adapters() -> list[Adapter]:
    """All engines that call entry points; imports none of them."""
    return [_adapter(*engine) for engine in ENGINES]


def _adapter(engine: str, group: str, limit: str, name: str) -> Adapter:
    try:
        installed = version(engine)
    except PackageNotFoundError:
        installed = None
    is_seen = any(point.name == name for point in entry_points(group=group))
    why_not = _why_not(installed, limit, name, is_seen=is_seen)
    reason = why_not or str(from_environment())
    return Adapter(engine, installed, f"{group}: {name}", is_seen, why_not is None, reason)


def _why_not(installed: str | None, limit: str, name: str, *, is_seen: bool) -> str | None:
    if not is_seen:
        return "the entry point is not seen: it is there once eplb-xp is installed, by pip install"
    if installed is None:
        return "the engine is not installed"
    allowed = os.environ.get(limit)
    if allowed is not None and name not in [each.strip() for each in allowed.split(",")]:
        return f"{limit}={allowed} leaves {name} out"
    try:
        settings = from_environment()
    except ValueError as error:
        return str(error)
    return None if settings else f"{POLICY} is not set"
