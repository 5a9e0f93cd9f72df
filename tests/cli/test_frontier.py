"""``eplb-xp frontier``: what each number of moves buys."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp import evaluate, frontier, moves, plan_at, rebalance_experts, spend
from eplb_xp.cli.output.frontier_table import ROWS, shown
from eplb_xp.loads import samples
from tests.support.command_line import document, rows, run

STEPS = np.random.default_rng(5).integers(1, 90, (9, 3, 12))  # [steps, layers, experts]
SIZES = ("--num-replicas=16", "--num-gpus=4")
USED = rebalance_experts(STEPS[:2].sum(axis=0), 16, 1, 1, 4)
NEW = STEPS[2:].sum(axis=0)  # of seven steps: five are planned for once more, and two judged


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    """Loads of nine steps, and beside them ``used.npz``, a plan of the first two."""
    np.save(tmp_path / "loads.npy", STEPS)
    np.savez(tmp_path / "used.npz", phy2log=USED.phy2log)
    return tmp_path / "loads.npy"


def ask(loads: Path, *more: str | Path) -> int:
    """What moves buy on the other steps."""
    return run("frontier", loads, *SIZES, "--steps=2:", "--previous", loads.with_name("used.npz"), *more)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (("--backend=torch", "--policy=ring"), {"policy": "ring"}),
        (("--gpus-per-node=2", "--far-cost=3"), {"gpus_per_node": 2, "far_cost": 3}),
        (("--samples=3",), {}),
        (("--backend=jax", "--max-replicas=3"), {"max_replicas": 3}),
    ],
)
def test_figures_are_those_of_the_library(
    options: tuple[str, ...], settings: dict[str, Any], loads: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(loads, *options, "--max-moves=4", "--json") == 0
    found = document(capsys)
    weight, past = (
        samples(each, 3) if "--samples=3" in options else each.sum(axis=0) for each in (STEPS[2:], STEPS[2:7])
    )
    made, earlier = (frontier(each, 16, 1, 1, 4, previous=USED, max_moves=4, **settings) for each in (weight, past))
    assert found["moves"] == [0, 1, 2, 3, 4]
    assert found["later"]["planned_steps"] == 5
    for number in found["moves"]:
        plan = plan_at(made, number)
        balance = evaluate(plan, NEW, 4).balancedness
        short = {name: values[number] for name, values in found["balancedness"].items()}
        assert short == pytest.approx({"mean": balance.mean(), "worst": balance.min(), "worst_layer": balance.argmin()})
        received = moves(USED, plan, 4).received.sum(axis=1)
        assert [found["moved_slots"][name][number] for name in ("total", "most")] == [received.sum(), received.max()]
        later = np.mean([evaluate(plan_at(earlier, number), step, 4).balancedness for step in STEPS[7:]])
        assert found["later"]["equal"][number] == pytest.approx(later)
    if "far_cost" in settings:
        across = [int(moves(USED, plan_at(made, k), 4, 2).sent_across.sum()) for k in range(5)]
        assert found["moved_slots"]["across_nodes"] == across
        assert (found["gpus_per_node"], found["far_cost"]) == (2, 3)
    else:
        assert "far_cost" not in found


def test_planners_without_a_budget_stand_beside(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(loads, "--expert-bytes=10", "--json") == 0
    found = document(capsys)
    assert found["moves"] == [0, 1, 2]  # 15% of 16 slots
    assert found["spent"] is None
    eplb = rebalance_experts(NEW, 16, 1, 1, 4, policy="greedy")
    joint = rebalance_experts(NEW, 16, 1, 1, 4, previous=USED)
    names = [(its["name"], its["relabelled"]) for its in found["planners"]]
    assert names == [("greedy", False), ("joint", True)]
    for its, plan in zip(found["planners"], (eplb, joint), strict=True):
        moved = int(moves(USED, plan, 4).received.sum())
        assert (its["moved_slots"]["total"], its["moved_bytes"]["total"]) == (moved, 10 * moved)
        assert its["balancedness"]["mean"] == pytest.approx(evaluate(plan, NEW, 4).balancedness.mean())


def test_moves_are_divided_among_layers(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = frontier(NEW, 16, 1, 1, 4, previous=USED, max_moves=6)
    output = loads.with_name("next.npz")
    assert ask(loads, "--max-moves=6", "--spend=13%", "--json", "-o", output) == 0
    spent = document(capsys)["spent"]
    each = spend(made, 6)  # 13% of 48 slots
    assert (spent["total"], spent["layers"]) == (6, each.tolist())
    plan = plan_at(made, each)
    with np.load(output) as written:
        np.testing.assert_array_equal(written["phy2log"], plan.phy2log)
        np.testing.assert_array_equal(written["log2phy"], plan.log2phy)
        assert (written["spend"].item(), written["max_moves"].item(), written["policy"].item()) == (6, "6", "joint")
    assert spent["balancedness"]["mean"] == pytest.approx(evaluate(plan, NEW, 4).balancedness.mean())
    assert spent["moves"] == moves(USED, plan, 4).received.sum()
    reached = sum(made.busiest[layer, k] for layer, k in enumerate(each))
    as_good = [k for k in range(7) if made.busiest[:, k].sum() <= reached]
    assert spent["same_moves"] == as_good[0]
    assert spent["same_total"] == moves(USED, plan_at(made, as_good[0]), 4).received.sum()
    assert ask(loads, "--max-moves=6", "-o", output) == 0  # nothing to divide: all layers have them
    with np.load(output) as written:
        np.testing.assert_array_equal(written["phy2log"], plan_at(made, 6).phy2log)


def test_the_table_and_the_picture(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--max-moves=6", "--expert-bytes=44M", "--gpus-per-node=2", "--far-cost=2", "--spend=7")
    more = ("--samples=2", "--half-life=3", "--plot", loads.with_name("moves.png"))
    assert ask(loads, *options, *more) == 0
    table = capsys.readouterr().out
    assert max(map(len, table.splitlines())) <= 80
    assert list(rows(table))[1:] == ["moves", "0", "1", "2", "3", "5", "6", "spend 7", "fresh EPLB", "fresh joint"]
    assert rows(table)["0"][0] == "0.0%"
    for words in ("moves a layer, ", "as much with the same number in every layer: ", "nodes of 2 GPUs counts as 2"):
        assert words in table
    for words in ("planned for 2 samples", "a step that is 3 older", "later: such plans of the first 5 steps in the 2"):
        assert words in table
    assert loads.with_name("moves.png").stat().st_size > 10_000


def test_one_step_and_no_moves(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(loads, "--steps=3:4", "--max-moves=0", "--plot", loads.with_name("moves.svg")) == 0
    table = capsys.readouterr().out
    assert list(rows(table))[-3:] == ["0", "fresh EPLB", "fresh joint"]
    assert "later" not in table
    assert "spent" not in table


@pytest.mark.parametrize("most", [0, 1, 2, 4, 14, 43, 288, 5000])
def test_numbers_that_are_shown(most: int) -> None:
    found = shown(most)
    assert found == sorted({0, *found, most})
    assert len(found) <= ROWS


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "moves": (("--max-moves=few",), "--max-moves must be a whole number of slots of a layer"),
    "spend": (("--spend=-1",), "--spend must be a whole number of slots of all layers, such as 8, or 0% to 100% of"),
    "nodes": (("--gpus-per-node=3",), "--gpus-per-node"),
    "far": (("--far-cost=5",), "--far-cost=5 is what a move from another node counts: say --gpus-per-node, too"),
    "bytes": (("--expert-bytes=none",), "--expert-bytes must be whole bytes from 1 up"),
    "GPUs": (("--num-gpus=8",), "number of GPUs is 4, and that of the new one 8"),
    "no plan": (("--previous=no.npz",), "no.npz: can't be read: No such file"),
    "samples": (("--samples=8",), "--samples must be at most the number of steps, got 8 for 7"),
    "ending": (("--output=used.txt",), "--output must end in .npz or .json"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str, loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, fault = REFUSED[name]
    np.savez(loads.with_name("used.npz"), phy2log=USED.phy2log, num_gpus=4)
    assert ask(loads, *options) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert fault in err


def test_a_plan_in_use_is_needed(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("frontier", loads, *SIZES) == 2
    assert capsys.readouterr().err == "eplb-xp: Missing option '--previous'. (eplb-xp --help says more)\n"
