"""``--layers``, beside ``--steps``, and ``--index-column``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp import evaluate, rebalance_experts
from eplb_xp.loads import read
from tests.support.command_line import run
from tests.support.libraries import NumPyArray

LOADS = np.random.default_rng(0).integers(1, 1000, (3, 6, 4))  # [steps, layers, experts]
SIZES = ("--num-replicas=6", "--num-gpus=2")


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    """Loads of six layers."""
    np.save(tmp_path / "loads.npy", LOADS)
    return tmp_path / "loads.npy"


def found(capsys: pytest.CaptureFixture[str], *args: str | Path) -> dict[str, Any]:
    """The JSON of a command."""
    capsys.readouterr()
    assert run(*args, "--json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def balancedness(layers: NumPyArray, planned: NumPyArray) -> Any:
    """Of the plan for some loads on others."""
    plan = rebalance_experts(planned, 6, 1, 1, 2)
    return pytest.approx(evaluate(plan, layers, 2).balancedness.tolist(), rel=1e-6)


SLICES = [slice(3, None), slice(1, 4), slice(-2, None), slice(None, None, 2), slice(None)]


def written(layers: slice) -> str:
    """As an option."""
    return "--layers=" + ":".join(
        "" if each is None else str(each) for each in (layers.start, layers.stop, layers.step)
    )


@pytest.mark.parametrize("layers", SLICES, ids=written)
def test_layers_are_chosen_as_in_python(layers: slice, loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.testing.assert_array_equal(read(loads, layers=layers), LOADS[:, layers], strict=True)
    total = LOADS[1:, layers].sum(axis=0)
    np.testing.assert_array_equal(read(loads, layers=layers, steps=slice(1, None), sum_steps=True), total)
    planned = found(capsys, "plan", loads, *SIZES, written(layers), "--steps=1:", "-o", loads.with_name("plan.json"))
    assert (planned["num_steps"], planned["num_layers"]) == (2, len(total))
    assert planned["placements"][1]["balancedness"]["layers"] == balancedness(total, total)
    content = json.loads(loads.with_name("plan.json").read_text())
    assert content["phy2log"] == rebalance_experts(total, 6, 1, 1, 2).phy2log.tolist()
    assert (content["layer_numbers"], content["num_layers"]) == ([*range(6)][layers], 6)
    swept = found(capsys, "sweep", loads, *SIZES, written(layers), "--steps=1:")
    first = LOADS[1, layers]  # of two steps the first is planned for, and the other judged
    assert swept["results"][0]["balancedness"]["layers"] == balancedness(first, first)
    assert swept["results"][0]["later"]["equal_layers"] == balancedness(LOADS[2, layers], first)


@pytest.mark.parametrize("layers", SLICES, ids=written)
@pytest.mark.parametrize("known", [True, False])
def test_a_plan_of_all_layers_is_chosen_from_alike(
    layers: slice, known: bool, loads: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, total = loads.with_name("plan.npz"), LOADS.sum(axis=0)
    if known:
        assert run("plan", loads, *SIZES, "-o", plan) == 0
    else:
        np.savez(plan, phy2log=rebalance_experts(total, 6, 1, 1, 2).phy2log, num_gpus=2)
    judged = found(capsys, "evaluate", plan, loads, written(layers), "--steps=2:")
    expected = balancedness(LOADS[2, layers], total[layers])
    assert judged["placements"][1]["balancedness"]["layers"] == expected
    assert (judged["predicted"] is not None) == known
    if known:
        assert judged["predicted"]["layers"] == balancedness(total[layers], total[layers])


def test_a_plan_of_some_layers_is_found_by_their_numbers(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, total = loads.with_name("plan.npz"), LOADS.sum(axis=0)
    assert run("plan", loads, *SIZES, "--layers=2:", "-o", plan) == 0
    for layers in (slice(2, None), slice(3, 5)):
        judged = found(capsys, "evaluate", plan, loads, written(layers))
        assert judged["placements"][1]["balancedness"]["layers"] == balancedness(total[layers], total[layers])
    capsys.readouterr()
    for option in ((), ("--layers=1:5",)):  # the second has as many layers as the plan, but others
        assert run("evaluate", plan, loads, *option) == 2
        err = capsys.readouterr().err
        assert f"the plan is for 4 of the 6 layers, and not for layer {1 if option else 0}: --layers A:B chooses" in err


def test_a_plan_fits_the_chosen_layers_of_another_file(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, some, total = loads.with_name("plan.npz"), loads.with_name("some.npy"), LOADS.sum(axis=0)
    np.save(some, LOADS[:, 2:])
    assert run("plan", some, *SIZES, "-o", plan) == 0
    judged = found(capsys, "evaluate", plan, loads, "--layers=2:")
    assert judged["placements"][1]["balancedness"]["layers"] == balancedness(total[2:], total[2:])
    for option, part in (((), ""), (("--layers=1:4",), ", of which --layers chooses 3")):
        assert run("evaluate", plan, loads, *option) == 2
        said = f"the plan's number of layers is 4, and that of the loads is 6{part}: the plan must have all of them, or"
        assert said in capsys.readouterr().err


def test_what_is_not_chosen_is_not_checked(tmp_path: Path) -> None:
    load = LOADS.astype(np.float64)
    load[0, 1, 2] = -4
    np.save(tmp_path / "a.npy", load)
    assert read(tmp_path / "a.npy", layers=slice(2, None)).shape == (3, 4, 4)
    with pytest.raises(ValueError, match=r"the first -4.0 in step 0, layer 1, expert 2"):
        read(tmp_path / "a.npy", layers=slice(1, None))
    with pytest.raises(ValueError, match=r"there are 6 layers, and none of them is in 6:"):
        read(tmp_path / "a.npy", layers=slice(6, None))
    with pytest.raises(TypeError, match="layers must be a slice"):
        read(tmp_path / "a.npy", layers=3)  # type: ignore[arg-type]


def test_index_column_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "loads.csv"
    path.write_text("0,90,132\n1,20,107\n")
    for command in (("plan", path), ("sweep", path)):
        assert run(*command, "--num-replicas=6", "--num-gpus=2") == 2
        err = capsys.readouterr().err
        assert "counts 0, 1, 2, ... over 2 rows" in err
        assert "--index-column leaves it out, --no-index-column reads it as loads" in err
        for option, experts in (("--index-column", 2), ("--no-index-column", 3)):
            document = found(capsys, *command, "--num-replicas=6", "--num-gpus=2", option)
            assert document["num_experts"] == experts
    plan = tmp_path / "plan.npz"
    assert run("plan", path, "--num-replicas=6", "--num-gpus=2", "--index-column", "-o", plan) == 0
    assert run("evaluate", plan, path) == 2
    assert found(capsys, "evaluate", plan, path, "--index-column")["num_experts"] == 2
