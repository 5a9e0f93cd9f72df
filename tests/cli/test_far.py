"""``eplb-xp plan`` that follows a plan in use on several nodes: what moves across them, and what that costs."""

import json
from pathlib import Path

import numpy as np
import pytest

from eplb_xp import moves, rebalance_experts
from eplb_xp.cli.amounts import in_letters
from tests.support.command_line import run

LOAD = np.random.default_rng(7).integers(1, 90, (4, 12))
USED = rebalance_experts(LOAD[::-1], 16, 1, 1, 8)
OPTIONS = ("--num-replicas=16", "--num-gpus=8", "--max-moves=8", "--previous=used.npz", "--gpus-per-node=2")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads and a plan in use."""
    monkeypatch.chdir(tmp_path)
    np.save("loads.npy", LOAD)
    np.savez("used.npz", phy2log=USED.phy2log)


@pytest.mark.parametrize("cost", [1, 4])
def test_moves_across_nodes_cost_more(cost: int, capsys: pytest.CaptureFixture[str]) -> None:
    options = (*OPTIONS, f"--far-cost={cost}", "--expert-bytes=44M")
    assert run("plan", "loads.npy", *options, "--json", "-o", "new.json") == 0
    found = json.loads(capsys.readouterr().out)
    plan = rebalance_experts(LOAD, 16, 1, 1, 8, previous=USED, max_moves=8, gpus_per_node=2, far_cost=cost)
    content = json.loads(Path("new.json").read_text())
    assert content["phy2log"] == plan.phy2log.tolist()
    assert (content["gpus_per_node"], content["far_cost"]) == (2, cost)
    across = int(moves(USED, plan, 8, gpus_per_node=2).sent_across.sum())
    assert (found["moved_slots"]["across_nodes"], found["moved_bytes"]["across_nodes"]) == (across, 44_000_000 * across)
    if cost == 1:
        return
    total = sum(found["moved_slots"]["layers"])
    assert run("plan", "loads.npy", *options) == 0
    table = capsys.readouterr().out
    assert f"\nacross nodes: {across} of the {total} slots of all layers\n" in table
    assert f", {in_letters(44_000_000 * across)} across nodes\n" in table


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ((*OPTIONS, "--far-cost=0"), "--far-cost must be at least 1, got 0"),
        ((*OPTIONS[:-1], "--far-cost=2"), "say --gpus-per-node, too"),
        ((*OPTIONS[:2], *OPTIONS[3:], "--far-cost=2"), "counts in --max-moves: give that, too"),
        ((*OPTIONS, "--gpus-per-node=3"), "--gpus-per-node"),
        ((*OPTIONS[:2], "--gpus-per-node=2"), "--gpus-per-node goes with --previous: give the plan in use"),
        ((*OPTIONS[:2], "--far-cost=2"), "--far-cost goes with --previous: give the plan in use"),
    ],
)
def test_what_does_not_fit_is_refused(options: tuple[str, ...], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "loads.npy", *options) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert fault in err
