"""What rows say: of each case balance and times, of each model what a token and a slot take."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.moe.fitting import Fit, Layers, of_gpus, of_layers
from benchmarks.moe.rows import Row, by_gpu
from benchmarks.moe.systems import DECODE, PREFILL
from eplb_xp.simulation import Cost
from eplb_xp.simulation.arrays import Numbers

BESIDE = "EPLB"  # what cases are compared with


class CaseTimes(NamedTuple):
    """One case of one system and number of tokens, over its layers and batches."""

    system: str
    phase: str
    tokens: int
    case: str
    balance: float  # of these batches, which no plan has seen: mean / busiest GPU's tokens
    median: float  # seconds of a layer
    late: float  # 95 % take no longer
    slots: float  # seconds of finding slots
    saved: float  # seconds of a layer, the mean, beside EPLB
    predicted: float  # the same by the cost's figures


def times(rows: list[Row], cost_of: Any) -> Iterator[CaseTimes]:
    """A line for each case, in the order of rows; ``cost_of`` gives the `Cost` of a system."""
    found: dict[tuple[str, str, int], dict[str, list[Row]]] = {}
    for row in rows:
        found.setdefault((row["system"], row["phase"], row["tokens"]), {}).setdefault(row["case"], []).append(row)
    for (system, phase, tokens), cases in found.items():
        cost = cost_of(system)
        beside = cases.get(BESIDE, [])
        for case, its in cases.items():
            layer = _layers(its)
            saved = float(_layers(beside).mean() - layer.mean()) if beside else float("nan")
            predicted = _predicted(beside, cost) - _predicted(its, cost) if beside else float("nan")
            yield CaseTimes(
                system,
                phase,
                tokens,
                case,
                float(np.mean([_balance(row) for row in its])),
                float(np.median(layer)),
                float(np.quantile(layer, 0.95)),
                float(np.median([max(row["slots_s"]) for row in its])),
                saved,
                predicted,
            )


class Fitted(NamedTuple):
    """What times of one system follow."""

    system: str
    phase: str
    products: Fit  # of each GPU
    layers: Layers

    @property
    def worth(self) -> float:
        """What a slot counts at least, in tokens: many tokens are all that there is to prefill."""
        return 0.0 if self.phase == PREFILL else self.products.worth

    @property
    def seconds_per_token(self) -> float:
        """Of a GPU's products."""
        return (self.products.tokens if self.phase == PREFILL else self.products.both).slope


def fits(rows: list[Row]) -> Iterator[Fitted]:
    """A line for each system and phase."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["system"], row["phase"]), []).append(row)
    for (system, phase), its in found.items():
        products = of_gpus(its)
        yield Fitted(system, phase, products, of_layers(its, 0.0 if phase == PREFILL else products.worth))


def costs(found: dict[str, list[Row]]) -> dict[str, dict[str, float]]:
    """Of each system the fields of a `Cost` that were measured: what ``eplb-xp simulate --cost`` reads."""
    result: dict[str, dict[str, float]] = {}
    for each in fits(found.get(PREFILL, []) + found.get(DECODE, [])):
        seconds = each.seconds_per_token if each.phase == PREFILL else each.products.seconds_per_active_slot
        name = "seconds_per_token" if each.phase == PREFILL else "seconds_per_active_slot"
        result.setdefault(each.system, {})[name] = seconds
    for row in found.get("slots", []):
        result.setdefault(row["system"], {})["seconds_per_share"] = row["all_s"] - row["turns_s"]
    moves: dict[str, list[Row]] = {}
    for row in found.get("moves", []):
        moves.setdefault(row["system"], []).append(row)
    for system, its in moves.items():
        each_move = [row["alone_s"] / max(row["of_a_gpu"], 1) for row in its]
        hidden = [1 - (row["both_s"] - row["steps_s"]) / row["alone_s"] for row in its]
        result.setdefault(system, {})["seconds_per_move"] = float(np.median(each_move))
        result[system]["overlap"] = float(np.clip(np.median(hidden), 0, 1))
    return result


def _layers(rows: list[Row]) -> Numbers:
    return np.array([max(row["layer_s"]) for row in rows])


def _balance(row: Row) -> float:
    each = by_gpu(row).sum(axis=1)
    return float(each.mean() / each.max())


def _predicted(rows: list[Row], cost: Cost) -> float:
    """The mean of a layer, in seconds, by a cost's figures."""
    each = [cost.of_layers(np.array(row["slots"], np.float64), row["gpus"]) for row in rows]
    return float(np.mean(each))
