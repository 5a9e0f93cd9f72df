"""JSON for scripts: the numbers of the tables, and those of every layer."""

from typing import Any

from eplb_xp.cli.comparison import Comparison, Measured
from eplb_xp.cli.files import Loads
from eplb_xp.cli.judging import Judged
from eplb_xp.cli.planning import Numbers
from eplb_xp.cli.sweeping import Sweep


def comparison(compared: Comparison) -> dict[str, Any]:
    """The loads, the sizes, and each placement."""
    placements = [{"name": placed.name, **_measured(placed), **_times(placed)} for placed in compared.placements]
    return {**_loads(compared.loads), **compared.layout._asdict(), "placements": placements}


def judged(found: Judged) -> dict[str, Any]:
    """A comparison, the prediction if there is one, and the balancedness in each step."""
    predicted = found.predicted
    return {
        **comparison(found.comparison),
        "predicted": None if predicted is None else _by_layer(predicted, predicted.argmin()),
        "steps": [_summary(balancedness, balancedness.argmin()) for balancedness in found.over_time],
    }


def swept(found: Sweep) -> dict[str, Any]:
    """A result for each size, the replicas that are worth it for each number of GPUs, and what was skipped."""
    return {
        **_loads(found.loads),
        "policy": found.policy,
        "results": [{**layout._asdict(), **_measured(measured)} for layout, measured in found.results],
        "worth": [{"num_gpus": num_gpus, "num_replicas": found.worth(num_gpus)} for num_gpus in found.num_gpus],
        "skipped": [{**layout._asdict(), "reason": reason} for layout, reason in found.skipped],
    }


def _loads(loads: Loads) -> dict[str, Any]:
    steps, layers, experts = loads.over_time.shape
    return {
        "title": loads.title,
        "num_steps": steps,
        "num_layers": layers,
        "num_experts": experts,
        "tokens": float(loads.load.sum()),
    }


def _measured(measured: Measured) -> dict[str, Any]:
    return {
        "replicas": measured.replicas,
        "balancedness": _by_layer(measured.balancedness, measured.balancedness.argmin()),
        "gap": _by_layer(measured.gap, measured.gap.argmax()),
        "doubled": int(measured.doubled.sum()),
    }


def _by_layer(values: Numbers, worst: Any) -> dict[str, Any]:
    return {**_summary(values, worst), "layers": values.tolist()}


def _summary(values: Numbers, worst: Any) -> dict[str, Any]:
    return {"mean": float(values.mean()), "worst": float(values[worst]), "worst_layer": int(worst)}


def _times(measured: Measured) -> dict[str, float]:
    if measured.times is None:
        return {}
    return {f"{name}_seconds": seconds for name, seconds in measured.times._asdict().items()}
