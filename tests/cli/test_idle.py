"""Layers and steps without tokens, which are balanced whatever the plan: no mean, worst or recommendation has them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp.cli.comparison import compare
from eplb_xp.cli.files import summed
from eplb_xp.cli.judging import Judged
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.output import pictures
from eplb_xp.cli.planning import Planner
from tests.support.command_line import rows, run
from tests.support.libraries import NumPyArray

SKEWED = [[100, 19, 19, 19]]  # an expert a GPU: balancedness .3925
SWEPT = np.random.default_rng(1).lognormal(3, 0.55, (4, 32))  # 40 replicas bring .043 over 32


def documents(capsys: pytest.CaptureFixture[str], *args: str | Path) -> dict[str, Any]:
    """The JSON of a command; NaN is none."""
    assert run(*args, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    return found


def made(path: Path, load: Any, *more: str) -> Path:
    """A plan with an expert on each of four GPUs."""
    np.save(path.with_suffix(".npy"), load)
    assert run("plan", path.with_suffix(".npy"), "--num-replicas=4", "--num-gpus=4", "-o", path, *more) == 0
    return path


def test_idle_steps_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    over_time = np.zeros((10, 1, 4))
    over_time[6] = SKEWED
    np.save(tmp_path / "later.npy", over_time)
    plan = made(tmp_path / "plan.json", SKEWED)
    capsys.readouterr()
    found = documents(capsys, "evaluate", plan, tmp_path / "later.npy")
    assert (found["idle_steps"], found["idle_layers"]) == (9, 0)
    nothing = {"mean": None, "worst": None, "worst_layer": None, "best_mean": None, "idle_layers": 1}
    assert found["steps"][:6] + found["steps"][7:] == [nothing] * 9
    assert found["steps"][6]["mean"] == pytest.approx(0.3925)
    assert run("evaluate", plan, tmp_path / "later.npy", "--plot", tmp_path / "later.png") == 0
    table = capsys.readouterr().out
    assert "over 10 steps: balancedness mean 0.3925, worst 0.3925 (step 6, layer 0)" in table
    assert "9 of 10 steps without tokens: left out of means" in table
    assert "layers without tokens" not in table


def every_second(load: NumPyArray) -> NumPyArray:
    """The layers, and after each of them one without tokens."""
    return np.stack([load, np.zeros_like(load)], axis=1).reshape(-1, load.shape[1])


def test_dense_layers_change_no_recommendation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "moe.npy", SWEPT)
    np.save(tmp_path / "all.npy", every_second(SWEPT))
    sizes = "--num-gpus=8", "--num-replicas=32,40", "--policy=swap"
    alone, found = (documents(capsys, "sweep", tmp_path / name, *sizes) for name in ("moe.npy", "all.npy"))
    assert found["worth"] == alone["worth"] == [{"num_gpus": 8, "num_replicas": 40}]
    assert (found["idle_layers"], alone["idle_layers"]) == (4, 0)
    for with_idle, without in zip(found["results"], alone["results"], strict=True):
        assert with_idle["balancedness"]["layers"][1::2] == [1.0] * 4
        for name in ("balancedness", "gap"):
            assert with_idle[name]["mean"] == pytest.approx(without[name]["mean"])
            assert with_idle[name]["worst_layer"] == 2 * without[name]["worst_layer"]
    tables = []
    for name in ("moe.npy", "all.npy"):
        assert run("sweep", tmp_path / name, *sizes, "--plot", tmp_path / "sweep.png") == 0
        tables.append(capsys.readouterr().out)
    left_out = "\n4 of 8 layers without tokens: left out of means\n"
    assert left_out in tables[1]
    assert tables[0].split("tokens\n")[1] == tables[1].replace(left_out, "").split("tokens\n")[1]


def test_idle_layers_are_neither_in_means_nor_worst(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", [[0] * 4, SKEWED[0], [1] * 4])
    assert run("plan", tmp_path / "a.npy", "--num-replicas=4", "--num-gpus=4", "--plot", tmp_path / "a.png") == 0
    table = capsys.readouterr().out
    assert rows(table)["joint"][:2] == [f"{(0.3925 + 1) / 2:.4f}", "0.3925 (1)"]
    assert "1 of 3 layers without tokens: left out of means" in table
    np.save(tmp_path / "b.npy", [[0] * 4, [1] * 4])  # the worst is no idle layer, as balanced as all are
    found = documents(capsys, "plan", tmp_path / "b.npy", "--num-replicas=4", "--num-gpus=4")["placements"][1]
    assert (found["balancedness"]["worst_layer"], found["gap"]["worst_layer"]) == (1, 1)


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_a_prediction_leaves_out_what_was_idle_then(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = made(tmp_path / f"plan.{ending}", [SKEWED[0], [0] * 4])
    np.save(tmp_path / "later.npy", [SKEWED[0], [1] * 4])
    capsys.readouterr()
    found = documents(capsys, "evaluate", plan, tmp_path / "later.npy")
    assert found["idle_layers"] == 0
    assert found["placements"][1]["balancedness"]["mean"] == pytest.approx((0.3925 + 1) / 2)
    assert found["predicted"]["mean"] == pytest.approx(0.3925)
    assert (found["predicted"]["layers"][1], found["predicted"]["idle_layers"]) == (1.0, 1)
    assert run("evaluate", plan, tmp_path / "later.npy") == 0
    table = capsys.readouterr().out
    assert rows(table)["predicted"][0] == "0.3925"
    assert "predicted: on the loads that the plan was made for; 1 of 2 layers left out" in table


def test_older_plans_do_not_say_what_was_idle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = made(tmp_path / "plan.json", [SKEWED[0], [0] * 4])
    content = json.loads(plan.read_text())
    for name in ("idle_layers", "layer_numbers", "num_layers"):
        del content[name]
    plan.write_text(json.dumps(content))
    capsys.readouterr()
    found = documents(capsys, "evaluate", plan, tmp_path / "plan.npy")["predicted"]
    assert found["mean"] == pytest.approx((0.3925 + 1) / 2)
    assert found["idle_layers"] is None


def test_a_layer_may_be_idle_in_some_steps_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    over_time = np.array([[SKEWED[0], [1] * 4], [SKEWED[0], [0] * 4], [[0] * 4, [0] * 4]])
    np.save(tmp_path / "later.npy", over_time)
    plan = made(tmp_path / "plan.npz", over_time.sum(axis=0))
    capsys.readouterr()
    steps = documents(capsys, "evaluate", plan, tmp_path / "later.npy")["steps"]
    assert [each["mean"] for each in steps] == [pytest.approx((0.3925 + 1) / 2), pytest.approx(0.3925), None]
    assert [each["idle_layers"] for each in steps] == [0, 1, 2]
    assert run("evaluate", plan, tmp_path / "later.npy") == 0
    table = capsys.readouterr().out
    assert f"over 3 steps: balancedness mean {(2 * 0.3925 + 1) / 3:.4f}, worst 0.3925 (step 0, layer 0)" in table
    assert "1 of 3 steps without tokens: left out of means" in table
    assert "other layers without tokens in single steps: 1, left out of the mean over steps" in table


def test_where_nothing_has_tokens_nothing_is_claimed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = made(tmp_path / "plan.npz", np.zeros((2, 3, 4)))
    assert "no layer has tokens: there is nothing to balance" in capsys.readouterr().out
    source = tmp_path / "plan.npy"
    found = documents(capsys, "evaluate", plan, source)
    assert (found["idle_steps"], found["idle_layers"]) == (2, 3)
    for values in (found["predicted"], found["placements"][1]["balancedness"], found["placements"][0]["gap"]):
        assert (values["mean"], values["worst"], values["worst_layer"]) == (None, None, None)
    swept = documents(capsys, "sweep", source, "--num-gpus=4,2", "--num-replicas=4,8")
    assert [each["num_replicas"] for each in swept["worth"]] == [None, None]
    assert swept["results"][0]["balancedness"]["mean"] is None
    for command in (("evaluate", plan, source), ("sweep", source, "--num-gpus=4", "--num-replicas=4,8")):
        assert run(*command, "--plot", tmp_path / "a.png") == 0
        table = capsys.readouterr().out
        assert "no layer has tokens: there is nothing to balance" in table
        assert "1.0000" not in table
        assert "worst layers" not in table


def test_pictures_leave_out_idle_steps() -> None:
    load = np.zeros((4, 2, 8))
    load[1] = load[3, :1] = np.arange(1, 9)
    loads, layout = summed(load, "title"), Layout(8, 1, 1, 4)
    comparison = compare(loads, layout, [Planner("greedy").plan(loads.load, layout)])
    over_time = np.array([[1, 1], [0.5, 0.7], [1, 1], [0.4, 1]])
    figure = pictures.judged(Judged(comparison, None, over_time, over_time))
    figure.draw_without_rendering()
    line = figure.axes[-1].lines[0]
    np.testing.assert_allclose(np.asarray(line.get_ydata(), np.float64), [np.nan, 0.4, np.nan, 0.6])
    assert line.get_marker() == "."  # steps that stand alone are seen
