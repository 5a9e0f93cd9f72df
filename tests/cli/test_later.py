"""What plans are worth on later steps."""

import json
from pathlib import Path

import numpy as np
import pytest

from eplb_xp import evaluate, rebalance_experts, share_tokens
from eplb_xp.cli.later import split
from tests.support.command_line import run

STEPS = np.random.default_rng(5).integers(0, 90, (7, 2, 6))
SIZES = ("--num-replicas=8", "--num-gpus=4", "--policy=ring")


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """Loads of seven steps: five are planned for, and two judged."""
    np.save(tmp_path / "steps.npy", STEPS)
    return tmp_path / "steps.npy"


def expected() -> tuple[float, float]:
    """Balance in the last two steps of a plan of the first five, under equal and under the best shares."""
    plan = rebalance_experts(STEPS[:5].sum(axis=0), 8, 1, 1, 4, policy="ring")
    equal = [evaluate(plan, step, 4).balancedness for step in STEPS[5:]]
    best = [step.sum(axis=1) / 4 / share_tokens(plan, step, 4).busiest for step in STEPS[5:]]
    return float(np.mean(equal)), float(np.mean(best))


def test_the_first_steps_are_planned_for_and_the_others_judged() -> None:
    for number, planned in ((2, 1), (3, 2), (7, 5), (56, 40), (100, 71)):
        parts = split(np.zeros((number, 1, 1)))
        assert parts is not None
        assert tuple(map(len, parts)) == (planned, number - planned)
    assert split(np.zeros((1, 1, 1))) is None
    assert split(np.zeros((1000, 1, 1)))[1].shape == (64, 1, 1)  # type: ignore[index]


def test_a_plan_is_judged_by_one_of_the_first_steps(steps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", steps, *SIZES, "--json") == 0
    later = json.loads(capsys.readouterr().out)["placements"][1]["later"]
    equal, best = expected()
    assert (later["planned_steps"], later["steps"]) == (5, 2)
    assert later["equal"] == pytest.approx(equal, rel=1e-5)
    assert later["best"] == pytest.approx(best, rel=1e-5)
    assert run("plan", steps, *SIZES, "--steps=:1", "--json") == 0
    assert "later" not in json.loads(capsys.readouterr().out)["placements"][1]


def test_a_sweep_judges_by_equal_and_by_best_shares(steps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("--num-replicas=8,12", "--num-gpus=4", "--policy=ring")
    assert run("sweep", steps, *sizes, "--json", "--plot", steps.with_name("sweep.png")) == 0
    found = json.loads(capsys.readouterr().out)
    equal, best = expected()
    assert found["results"][0]["later"]["equal"] == pytest.approx(equal, rel=1e-5)
    assert found["results"][0]["later"]["best"] == pytest.approx(best, rel=1e-5)
    assert set(found["worth"][0]) == {"num_gpus", "num_replicas", "num_replicas_best"}
    assert run("sweep", steps, *sizes) == 0
    table = capsys.readouterr().out
    assert f"{equal:.4f}" in table
    assert f"{best:.4f}" in table
    assert "4 GPUs, best shares: " in table
    assert max(map(len, table.splitlines())) <= 80


def test_evaluate_says_what_shares_would_bring(steps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = steps.with_name("plan.npz")
    assert run("plan", steps, *SIZES, "--steps=:5", "-o", plan) == 0
    capsys.readouterr()
    assert run("evaluate", plan, steps, "--steps=5:") == 0
    equal, best = expected()
    table = capsys.readouterr().out
    assert f"balancedness mean {equal:.4f}" in table
    assert f"by the best shares of each step: mean {best:.4f}" in table
