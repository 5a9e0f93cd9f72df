"""The benchmark of others' planners, with made ones: figures, outcomes of bad loads, the page."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import __main__ as program
from benchmarks.peers import behaviour, cases, measuring, page, peer, summary, table
from benchmarks.peers.cases import CASES, Case
from benchmarks.peers.ours import JOINT, OURS
from benchmarks.peers.peer import Peer, Planner, in_order
from benchmarks.quality.sizes import Size
from eplb_xp import evaluate, rebalance_experts
from eplb_xp.simulation.arrays import Numbers
from tests.support.peers import KEEPS
from tests.support.references.moving import moved

SIZE = Size(12, 4)
EPLB, SWAP, FEW_MOVES, RING = OURS[0], OURS[1], OURS[3], OURS[4]


def steps(seed: int) -> Numbers:
    return np.random.default_rng(seed).integers(1, 100, (20, 2, 8))


def given(answer: Any) -> Callable[[Size], Planner]:
    """Gives this, or raises it."""

    def planned() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return lambda _: lambda *_: planned


SMALL = Case("some", steps, 4, (SIZE, Size(12, 4, 2, 2)))


def test_figures_are_those_of_the_plans() -> None:
    windows = SMALL.windows(3)
    assert windows.shape == (5, 4, 2, 8)
    found = measuring.row("some", SIZE, SWAP, windows)
    weights = windows.sum(axis=1).astype(np.float32)
    plans: list[Any] = []
    for weight in weights[:-1]:
        known = {"previous": plans[-1]} if plans else {}
        plans.append(rebalance_experts(weight, 12, 1, 1, 4, policy="swap", **known))
    pairs = list(zip(plans[1:], weights[1:-1], weights[2:], windows[2:], strict=True))
    now = np.stack([evaluate(plan, weight, 4).balancedness for plan, weight, _, _ in pairs])
    later = [evaluate(plan, weight, 4).balancedness.mean() for plan, _, weight, _ in pairs]
    of_steps = [evaluate(plan, step, 4).balancedness.mean() for plan, _, _, window in pairs for step in window]
    assert found.plans == 3
    assert (found.planned, found.worst) == pytest.approx((now.mean(), now.min()))
    assert (found.later, found.steps) == pytest.approx((np.mean(later), np.mean(of_steps)))
    rows = [
        both
        for new, old in zip(plans[1:], plans, strict=False)
        for both in zip(new.phy2log.tolist(), old.phy2log.tolist(), strict=True)
    ]
    assert found.moved == pytest.approx(sum(moved(*both, 4) for both in rows) / (len(rows) * 12))
    assert found.first is not None
    assert found.seconds is not None
    assert not found.failed


def test_one_window_is_planned_for_alone() -> None:
    windows = SMALL.windows(3)[:1]
    found = measuring.row("some", SIZE, EPLB, windows)
    plan = rebalance_experts(windows[0].sum(axis=0).astype(np.float32), 12, 1, 1, 4, policy="greedy")
    balance = evaluate(plan, windows[0].sum(axis=0), 4).balancedness
    assert (found.planned, found.worst) == pytest.approx((balance.mean(), balance.min()))
    assert (found.later, found.steps, found.moved, found.seconds) == (None,) * 4


def test_who_keeps_moves_nothing_and_who_may_move_little_moves_little() -> None:
    windows = SMALL.windows(0)
    assert measuring.row("some", SIZE, KEEPS, windows).moved == 0
    few = measuring.row("some", SIZE, FEW_MOVES, windows).moved
    assert few is not None
    assert few <= 0.1


def test_the_best_shares_are_better() -> None:
    windows = SMALL.windows(0)
    shared, equal = (measuring.row("some", SIZE, each, windows) for each in (RING, RING._replace(shares=False)))
    assert shared.moved == equal.moved
    assert shared.steps is not None
    assert equal.steps is not None
    assert shared.steps > equal.steps


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (np.zeros((2, 12), int), "a plan of 12 slots in which 14 experts are missing"),
        (np.tile(np.arange(8), (2, 1)), "a plan of 8 slots"),
        (ZeroDivisionError("by nothing"), "ZeroDivisionError: by nothing"),
    ],
)
def test_no_figures_of_what_is_no_plan(answer: Any, says: str) -> None:
    found = measuring.row("some", SIZE, Peer("made", "", given(answer)), SMALL.windows(0))
    assert says in found.failed
    assert found.planned is None


def test_what_engines_start_with() -> None:
    assert in_order(2, 4, Size(6, 2)).tolist() == [[0, 1, 2, 2, 3, 0]] * 2


def test_tokens_of_slots_add_up_to_those_of_experts() -> None:
    window, slots = steps(1), in_order(2, 8, SIZE)
    tokens = peer.tokens_of_slots(window, slots)
    assert tokens.shape == (20, 2, 12)
    added = np.zeros(window.shape)
    for layer in range(2):
        np.add.at(added[:, layer].T, slots[layer], tokens[:, layer].T)
    np.testing.assert_allclose(added, window)
    assert (tokens[:, :, 0] < window[:, :, 0]).all()  # it has two slots


def test_means_are_over_what_all_plan() -> None:
    def row(load: str, name: str, figure: float, seconds: float) -> measuring.Row:
        return measuring.Row(load, SIZE, name, 1, figure, figure, figure, figure, figure, seconds, 2 * seconds)

    rows = [row("a", "x", 0.5, 4.0), row("a", JOINT, 0.7, 1.0), row("b", "x", 0.9, 1.0), row("b", JOINT, 0.8, 1.0)]
    rows += [row("c", JOINT, 0.1, 1.0), measuring.Row("c", SIZE, "x", failed="no")]
    rows += [row("d", "x", 0.1, 1.0)._replace(later=None), row("d", JOINT, 0.1, 1.0)._replace(later=None)]
    x, joint = summary.summaries(rows)
    assert summary.shared_by_all(rows) == [("a", "12 / 4"), ("b", "12 / 4")]
    assert (x.peer, joint.peer) == ("x", JOINT)
    assert (x.planned, x.worst, x.moved) == pytest.approx((0.7, 0.5, 0.7))
    assert (x.first, x.seconds, joint.first) == pytest.approx((2, 2, 1))
    text = table.of_rows(rows)
    assert "| can't: no | " in text
    assert {line.count(" | ") for line in text.splitlines()} == {8}


def test_the_page_has_a_place_for_each_table() -> None:
    names = ("means", "behaviour", "not run", "rows")
    filled = page.filled(program.PAGE.read_text(), {name: f"made: {name}\\1" for name in names})
    assert all(f"{page.mark(name)}\n\nmade: {name}\\1\n{page.END}" in filled for name in names)
    assert page.filled(filled, {"means": "anew"}).count("made: ") == 3
    with pytest.raises(ValueError, match="no place for another"):
        page.filled(filled, {"another": ""})


@pytest.mark.parametrize("case", [case for case in CASES if case.file is None], ids=lambda case: case.name)
def test_every_size_can_be_planned_from_a_table(case: Case) -> None:
    load = case.steps(0)
    for size in case.sizes:
        slots = in_order(1, load.shape[-1], size)
        assert slots.shape == (1, size.replicas)
        assert set(slots[0]) == set(range(load.shape[-1]))


def test_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    gone = Case("gone", steps, 4, (SIZE,), tmp_path / "gone.npz")
    monkeypatch.setattr(program, "CASES", (SMALL, gone))
    monkeypatch.setattr(program, "there", lambda: ([KEEPS, OURS[2]], {"other-2.0": "it can't be had"}))
    monkeypatch.setattr(program, "on_one_core", lambda: None)
    monkeypatch.setattr(behaviour, "apart", lambda call: call())
    with pytest.raises(SystemExit, match="0"):
        program.run([])
    printed = capsys.readouterr().out
    assert "missing: gone, because there is no" in printed
    assert "missing: other-2.0, because it can't be had" in printed
    found = json.loads((tmp_path / "out" / "peers.json").read_text())
    assert [(row["size"]["groups"], row["peer"]) for row in found["rows"]] == [(1, "keeps"), (1, JOINT), (2, JOINT)]
    assert found["not run"]["other-2.0"] == "it can't be had"
    assert (tmp_path / "out" / "peers.png").read_bytes().startswith(b"\x89PNG")
    markdown = (tmp_path / "out" / "peers.md").read_text()
    assert "Means over 0 loads" not in markdown
    assert "| keeps | " in markdown
    for arguments, says in (
        (["--only", "none such"], "there are some; gone"),
        (["--page"], "left out: gone, other-2.0"),
    ):
        with pytest.raises(SystemExit, match="2"):
            program.run(arguments)
        assert says in capsys.readouterr().err


def test_recordings_are_cut_from_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def read(file: Path, *, steps: slice) -> Numbers:
        asked.append((file, steps))
        return np.ones((9, 1, 2))

    monkeypatch.setattr(cases, "read", read)
    assert Case("cut", partial(cases.recorded, Path("x.npz"), 9), 4, ()).windows(0).shape == (2, 4, 1, 2)
    assert asked == [(Path("x.npz"), slice(0, 9))]
