"""What time follows is found again where it is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.moe import fitting, summary
from benchmarks.moe.systems import DECODE, PREFILL
from eplb_xp.cli.simulating import read_cost
from eplb_xp.simulation import Cost
from eplb_xp.simulation.arrays import Numbers

WORTH, SECONDS = 200.0, 1e-7


def slots(seed: int, points: int, most: float) -> Numbers:
    rng = np.random.default_rng(seed)
    return np.floor(rng.uniform(0, most, (points, 8)) * (rng.random((points, 8)) < 0.8))


def row(phase: str, tokens: int, seed: int) -> dict[str, Any]:
    """A batch on four GPUs, whose time follows the busiest one."""
    each = slots(seed, 4, 20_000.0 if phase == PREFILL else 600.0)
    products = 5e-5 + SECONDS * fitting.weighted(each, WORTH)
    case = ("EPLB", "joint")[seed % 2]
    layer = 1e-6 * tokens + 1.5 * products.max() + 3e-5
    return {
        "system": "made",
        "phase": phase,
        "case": case,
        "tokens": tokens,
        "gpus": 4,
        "slots": each.ravel().astype(int).tolist(),
        "products_s": products.tolist(),
        "layer_s": [layer] * 4,
        "slots_s": [3e-5] * 4,
    }


def rows(phase: str) -> list[dict[str, Any]]:
    return [row(phase, tokens, seed) for tokens in (16, 64) for seed in range(12)]


def test_products_follow_tokens_or_weights_whichever_is_more() -> None:
    each = slots(0, 50, 600.0)
    found = fitting.fit(each, 5e-5 + SECONDS * fitting.weighted(each, WORTH))
    assert found.worth == pytest.approx(WORTH, rel=0.02)
    assert found.both.slope == pytest.approx(SECONDS, rel=0.02)
    assert found.both.start == pytest.approx(5e-5, rel=0.1)
    assert found.seconds_per_active_slot == pytest.approx(WORTH * SECONDS, rel=0.02)
    assert found.both.error < 1e-3 < min(found.tokens.error, found.active.error)


@pytest.mark.parametrize("phase", [PREFILL, DECODE])
def test_layers_follow_the_busiest_gpu_whatever_else_their_size_takes(phase: str) -> None:
    (found,) = summary.fits(rows(phase))
    assert found.layers.slope == pytest.approx(1.5 * SECONDS, rel=0.05)
    assert found.layers.r2 > 0.99
    assert found.layers.starts[64] - found.layers.starts[16] == pytest.approx(48e-6, rel=0.3)


def test_one_gpu_has_no_slope() -> None:
    found = fitting.line(np.full(3, 7.0), np.array([1.0, 1.0, 2.0]))
    assert (found.start, found.slope) == (1.0, 0.0)


def test_what_is_saved_beside_eplb_and_what_the_cost_predicts() -> None:
    cost = Cost(SECONDS, WORTH * SECONDS)
    found = {each.case: each for each in summary.times(rows(PREFILL)[:12], lambda _: cost)}
    assert found["EPLB"].saved == found["EPLB"].predicted == 0
    # A layer is half as long again as its products, of which alone the cost knows.
    assert found["joint"].saved == pytest.approx(1.5 * found["joint"].predicted, rel=1e-6)
    assert 0.5 < found["joint"].balance < 1


def test_the_cost_that_follows_is_one_that_simulate_reads(tmp_path: Path) -> None:
    moves = [{"system": "made", "alone_s": 4e-3, "of_a_gpu": 4, "steps_s": 9e-3, "both_s": 1e-2}]
    share = [{"system": "made", "all_s": 5e-5, "turns_s": 1e-5}]
    found = summary.costs({PREFILL: rows(PREFILL), DECODE: rows(DECODE), "moves": moves, "slots": share})["made"]
    assert found["seconds_per_token"] == pytest.approx(SECONDS, rel=0.02)
    assert found["seconds_per_active_slot"] == pytest.approx(WORTH * SECONDS, rel=0.02)
    assert found["seconds_per_move"] == pytest.approx(1e-3)
    assert found["seconds_per_share"] == pytest.approx(4e-5)
    assert found["overlap"] == pytest.approx(0.75)
    file = tmp_path / "cost.json"
    file.write_text(json.dumps({"cost": found}))
    assert read_cost(file) == found
