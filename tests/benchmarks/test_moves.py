"""The benchmark of plans that follow: measured, judged on what comes, drawn, and refused in words."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.moves import __main__ as moves
from benchmarks.moves import cases, far, frontier_cost, frontiers, measuring, planning
from benchmarks.moves.cases import Case, Wanted
from benchmarks.moves.planning import plan
from benchmarks.moves.sampling import Trace, brought
from benchmarks.quality.sizes import Size
from eplb_xp import Frontier, evaluate, plan_at, spend
from eplb_xp.loads import samples
from tests.support.libraries import NumPyArray
from tests.support.references.moving import moved

SIZE = Size(12, 4)


def pair(seed: int) -> cases.Pair:
    rng = np.random.default_rng(seed)
    before = rng.lognormal(0, 1, (3, 8))
    return before, before * rng.lognormal(0, 0.5, before.shape)


def steps(seed: int) -> NumPyArray:
    return np.random.default_rng(seed).integers(1, 100, (12, 2, 8))


SMALL = Case("some", SIZE, pair, (Wanted(0.1, 0.5, 0.6), Wanted(0.2, 1.1, 1.2)), seeds=2, layers=3)
TRACE = Trace("trace", SIZE, steps, 4, 2, 1.5, (-1.0, 0.0))


def test_figures_are_those_of_the_plans() -> None:
    found = measuring.row(SMALL, 5)
    old, now = zip(*(pair(seed) for seed in (5, 6)), strict=True)
    used = [plan(load, SIZE) for load in old]
    for wanted, figures in found.budgets:
        made = [
            plan(load, SIZE, previous=each, max_moves=int(12 * wanted.moved))
            for load, each in zip(now, used, strict=True)
        ]
        reports = [evaluate(each, load.astype(np.float32), 4) for each, load in zip(made, now, strict=True)]
        balance = np.concatenate([report.balancedness for report in reports])
        assert [figures.mean, figures.worst] == pytest.approx([balance.mean(), balance.min()])
        pairs = [
            (new, before)
            for each, start in zip(made, used, strict=True)
            for new, before in zip(each.phy2log.tolist(), start.phy2log.tolist(), strict=True)
        ]
        assert figures.moved == sum(moved(*both, 4) for both in pairs) / (6 * 12)
    assert found.kept.moved == 0
    assert found.joint.moved <= found.eplb.moved


def test_moves_divided_are_no_more_than_as_many_for_each_layer() -> None:
    found = frontiers.row(SMALL, 5).budgets[-1]
    made = []
    for before, now in map(pair, (5, 6)):
        used = plan(before, SIZE)
        every = planning.all_plans(now, SIZE, used, max_moves=3)
        made.append(plan_at(every, 1))
        assert frontiers.least(every, 1, 3) == min(
            total for total in range(4) if busiest(every, spend(every, total)) <= busiest(every, np.ones(3, np.int64))
        )
    balance = np.concatenate(
        [evaluate(each, pair(seed)[1], 4).balancedness for each, seed in zip(made, (5, 6), strict=True)]
    )
    assert found.frontier == pytest.approx((balance.mean(), balance.min()))
    assert 0 < found.divided <= found.same <= 3
    assert found.saved == 1 - found.divided / found.same


def busiest(found: Frontier[NumPyArray], each: NumPyArray) -> float:
    return float(np.take_along_axis(found.busiest, each[:, None], axis=1).astype(np.float64).sum())


def test_moves_across_nodes_are_counted() -> None:
    first, *others = far.among([pair(5), pair(6)], SIZE, 2, 3)
    assert (first.far_cost, first.budget) == (1, 3)
    for row in others:
        every = planning.all_plans(
            np.concatenate([pair(seed)[1] for seed in (5, 6)]),
            SIZE,
            plan(np.concatenate([pair(seed)[0] for seed in (5, 6)]), SIZE),
            max_moves=9,
            gpus_per_node=2,
            far_cost=row.far_cost,
        )
        enough = np.flatnonzero(every.balancedness.mean(axis=0) >= first.mean - far.WORSE)
        assert row.budget == (enough[0] if len(enough) else 9)
        assert row.far <= row.moved


def test_samples_are_judged_on_the_window_that_follows() -> None:
    found = brought(TRACE, 1)
    load = steps(1)
    figures = []
    for past, later in ((load[:4], load[4:8]), (load[4:8], load[8:])):
        made, recent = (plan(samples(past, 2, half_life), SIZE) for half_life in (None, 1.5))
        each = [
            evaluate(one, later.sum(axis=0), 4).balancedness.mean()
            for one in (plan(past.sum(axis=0), SIZE), made, recent)
        ]
        figures.append([*each, evaluate(made, later, 4).balancedness.mean()])
    assert [found.mean, found.samples, found.recent, found.samples_by_step] == pytest.approx(np.mean(figures, axis=0))


def test_tables_files_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = SMALL._replace(name="gone", file=tmp_path / "gone.npz")
    monkeypatch.setattr(moves, "CASES", (SMALL, missing))
    monkeypatch.setattr(moves, "TRACES", (TRACE,))
    monkeypatch.setattr(moves, "SIZES", ())
    monkeypatch.setattr(frontier_cost, "SIZES", ())
    monkeypatch.setattr(moves, "far", lambda seed: far.among([pair(seed)], SIZE, 2, 3))
    with pytest.raises(SystemExit, match="0"):
        moves.run([])
    printed = capsys.readouterr().out
    assert "some, 12 / 4" in printed
    assert "missing: gone, because there is no" in printed
    document = json.loads((tmp_path / "out" / "moves.json").read_text())
    assert [budget["moved"] for budget in document["moves"][0]["budgets"]]
    assert document["samples"][0]["trace"] == "trace"
    assert [each["far_cost"] for each in document["far"]] == [1, *far.COSTS]
    assert [each["budget"] for each in document["frontiers"][0]["budgets"]] == [0, 1, 1]
    assert (tmp_path / "out" / "moves.md").read_text().count("\n") == 4
    assert (tmp_path / "out" / "moves.png").stat().st_size > 10_000

    with pytest.raises(SystemExit, match="2"):
        moves.run(["--only", "nothing"])
    assert "no load has 'nothing' in its name and sizes; there are some, 12 / 4" in capsys.readouterr().err


def test_windows_of_a_recording_and_those_that_follow(tmp_path: Path) -> None:
    load = np.arange(7 * 2 * 3).reshape(7, 2, 3)
    np.savez(tmp_path / "a.npz", load=load)
    before, now = partial(cases.recorded, tmp_path / "a.npz", 2, 1)(0)
    sums = [load[at : at + 2].sum(axis=0) for at in (0, 2, 4)]
    np.testing.assert_array_equal(before, np.concatenate(sums[:2]))
    np.testing.assert_array_equal(now, np.concatenate(sums[1:]))
