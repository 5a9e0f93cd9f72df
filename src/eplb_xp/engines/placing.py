"""Putting a function in the place of one that an engine calls by its module."""

import importlib
from collections.abc import Callable
from typing import Any

from eplb_xp.engines import metrics, report
from eplb_xp.engines.settings import asked_for


def put(engine: str, module: str, rebalance_experts: Callable[..., Any]) -> None:
    """Plan for an engine that has no plug-ins, whatever the environment says of the policy."""
    settings = asked_for()
    metrics.check(settings)
    importlib.import_module(module).rebalance_experts = rebalance_experts  # type: ignore[attr-defined]
    report.announce(engine, settings)
