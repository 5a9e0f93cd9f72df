"""What plans bring, as metrics of Prometheus, where ``EPLB_XP_METRICS=prometheus`` asks for them.

Engines gather what their processes count where ``PROMETHEUS_MULTIPROC_DIR`` is set before prometheus_client is
imported, as vLLM and SGLang do; so it is imported with the first plan.
"""

import functools
import importlib
from importlib.util import find_spec
from typing import Any

from eplb_xp.engines.settings import Settings

SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def check(settings: Settings) -> None:
    """Prometheus's client is installed, if it is asked for.

    Raises
    ------
    ValueError
        Where it is not.
    """
    if settings.metrics is not None and find_spec("prometheus_client") is None:
        raise ValueError("EPLB_XP_METRICS=prometheus needs prometheus_client: pip install prometheus-client")


def record(engine: str, before: Any, after: Any, moved: int | None, seconds: float) -> None:
    """Note a plan: balances measured and predicted (`report.Balance` or None), slots that move, seconds it took."""
    balancedness, slots, took = _metrics()
    for when, found in (("measured", before), ("predicted", after)):
        for of, value in found._asdict().items() if found else ():
            balancedness.labels(engine, when, of).set(value)
    slots.labels(engine).inc(moved or 0)
    took.labels(engine).observe(seconds)


@functools.cache
def _metrics() -> tuple[Any, Any, Any]:
    client = importlib.import_module("prometheus_client")
    return (
        client.Gauge(
            "eplb_xp_balancedness",
            "Balance of GPUs on the loads that the last plan was made from: of what was in use, measured, and of the "
            "plan, predicted. of=sums: mean loads added up over layers / those of the busiest GPUs added up; "
            "of=layers: the mean over layers of mean load / busiest GPU's load",
            ["engine", "when", "of"],
            multiprocess_mode="mostrecent",
        ),
        client.Counter("eplb_xp_moved_slots", "Slots that received another expert, of all layers", ["engine"]),
        client.Histogram("eplb_xp_planning_seconds", "What a plan took", ["engine"], buckets=SECONDS),
    )
