"""JSON for scripts: the numbers of the tables, and those of every layer."""

from typing import Any

import numpy as np

from eplb_xp.cli.comparison import Comparison, Measured
from eplb_xp.cli.files import Loads
from eplb_xp.cli.judging import Judged
from eplb_xp.cli.later import Later
from eplb_xp.cli.output import moving
from eplb_xp.cli.planning import Numbers
from eplb_xp.cli.summary import Summary, of_balancedness, of_gap
from eplb_xp.cli.sweeping import Sweep


def comparison(compared: Comparison) -> dict[str, Any]:
    """The loads, the sizes, each placement, how the steps counted, and what moves."""
    placements = [
        {"name": placed.name, **_measured(placed, compared.loads), **_times(placed)} for placed in compared.placements
    ]
    return {
        **of_loads(compared.loads),
        **compared.layout._asdict(),
        **{name: value for name, value in compared.counted._asdict().items() if value is not None},
        "placements": placements,
        **({} if compared.moved is None else moving.document(compared.moved)),
    }


def judged(found: Judged) -> dict[str, Any]:
    """A comparison, the prediction if there is one, and the balancedness in each step."""
    return {
        **comparison(found.comparison),
        "predicted": _predicted(found),
        "steps": [
            {
                **of_balancedness(equal, busy)._asdict(),
                "best_mean": of_balancedness(best, busy).mean,
                "idle_layers": int(np.count_nonzero(~busy)),
            }
            for equal, best, busy in zip(
                found.over_time, found.best_over_time, found.comparison.loads.busy_over_time, strict=True
            )
        ],
    }


def swept(found: Sweep) -> dict[str, Any]:
    """A result for each size, the replicas that are worth it for each number of GPUs, and what was skipped."""
    return {
        **of_loads(found.loads),
        "policy": found.policy,
        "results": [{**layout._asdict(), **_measured(measured, found.loads)} for layout, measured in found.results],
        "worth": [_worth(found, num_gpus) for num_gpus in found.num_gpus],
        "skipped": [{**layout._asdict(), "reason": reason} for layout, reason in found.skipped],
    }


def _worth(found: Sweep, num_gpus: int) -> dict[str, Any]:
    worth = {"num_gpus": num_gpus, "num_replicas": found.worth(num_gpus)}
    return {**worth, "num_replicas_best": found.worth(num_gpus, best=True)} if found.is_judged_later else worth


def of_loads(loads: Loads) -> dict[str, Any]:
    """What every document begins with."""
    steps, layers, experts = loads.over_time.shape
    return {
        "title": loads.title,
        "num_steps": steps,
        "num_layers": layers,
        "num_experts": experts,
        "idle_steps": loads.idle_steps,
        "idle_layers": loads.idle_layers,
        "tokens": float(loads.load.sum()),
    }


def _measured(measured: Measured, loads: Loads) -> dict[str, Any]:
    return {
        "replicas": measured.replicas,
        "balancedness": _by_layer(of_balancedness(measured.balancedness, loads.busy), measured.balancedness),
        "gap": _by_layer(of_gap(measured.gap, loads.busy), measured.gap),
        "doubled": int(measured.doubled.sum()),
        **({} if measured.later is None else {"later": _later(measured.later)}),
    }


def _later(later: Later) -> dict[str, Any]:
    equal, best = later.means
    by_layer = {"equal_layers": later.equal.mean(axis=0).tolist(), "best_layers": later.best.mean(axis=0).tolist()}
    return {"planned_steps": later.planned, "steps": len(later.equal), "equal": equal, "best": best, **by_layer}


def _predicted(found: Judged) -> dict[str, Any] | None:
    if found.predicted is None or found.prediction is None:
        return None
    idle_layers = None if found.predicted_busy is None else int(np.count_nonzero(~found.predicted_busy))
    return {**_by_layer(found.prediction, found.predicted), "idle_layers": idle_layers}


def _by_layer(short: Summary, values: Numbers) -> dict[str, Any]:
    return {**short._asdict(), "layers": values.tolist()}


def _times(measured: Measured) -> dict[str, float]:
    if measured.times is None:
        return {}
    return {f"{name}_seconds": seconds for name, seconds in measured.times._asdict().items()}
