"""JSON of strategies: what each promised, brought and cost."""

from typing import Any

import numpy as np

from eplb_xp.cli.output.documents import of_loads
from eplb_xp.cli.simulating import Simulated
from eplb_xp.simulation import Score, Strategy


def simulated(found: Simulated) -> dict[str, Any]:
    """The loads, the sizes, how it was tried, each strategy, what to take, and what was left out."""
    return {
        **of_loads(found.loads),
        **found.layout._asdict(),
        **found.pace._asdict(),
        **{name: value for name, value in found.prices._asdict().items() if name != "measured"},
        "cost": found.prices.cost._asdict(),
        "strategies": [_strategy(score, found.prices.expert_bytes) for score in found.scores],
        "recommendation": found.recommendation,
        "left_out": {"steps": found.idle_steps, "layers": found.idle_layers},
    }


def _strategy(score: Score, expert_bytes: int) -> dict[str, Any]:
    figures = score._asdict()
    del figures["strategy"]
    near, far = (number * expert_bytes for number in (score.near_moves, score.far_moves))
    return {
        "name": score.strategy.name,
        "settings": _settings(score.strategy),
        **figures,
        "bytes": near + far,
        "far_bytes": far,
        "balance": [None if np.isnan(each) else float(each) for each in score.balance],
        "promised": [{"step": step, "balance": balance} for step, balance in score.promised],
    }


def _settings(strategy: Strategy) -> dict[str, Any]:
    """What is not as it is by default."""
    plain = vars(Strategy("")) | {"name": strategy.name}
    return {name: value for name, value in vars(strategy).items() if value != plain[name]}
