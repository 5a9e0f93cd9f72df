"""``eplb-xp evaluate``."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp import __version__, evaluate, rebalance_experts
from tests.support.command_line import LOAD, SIZES, plan, rows, run
from tests.support.libraries import NumPyArray

LATER = np.random.default_rng(1).integers(1, 1000, (5, 2, 6))  # [steps, layers, experts]
MADE = rebalance_experts(LOAD, **SIZES)


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """Loads of several steps, other ones than were planned for."""
    np.save(tmp_path / "later.npy", LATER)
    return tmp_path / "later.npy"


def balancedness(load: NumPyArray) -> NumPyArray:
    """That of the plan, by the library."""
    return evaluate(MADE, load, 4, num_groups=2, num_nodes=2).balancedness


@pytest.mark.parametrize("ending", ["npz", "json"])
@pytest.mark.parametrize("steps", [slice(None), slice(2, 4), slice(1, 2)])
def test_json_compares_the_prediction_with_what_came(
    ending: str, steps: slice, file: Path, later: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = file.with_name(f"plan.{ending}")
    assert plan(file, "-o", written, "--json") == 0
    capsys.readouterr()
    first, last = (steps.start or 0), (steps.stop or 5)
    assert run("evaluate", written, later, "--json", "--steps", f"{first}:{last}") == 0
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    found = json.loads(out)
    assert {name: found[name] for name in SIZES} == SIZES
    assert found["predicted"]["layers"] == pytest.approx(balancedness(LOAD).tolist(), rel=1e-6)
    now = evaluate(MADE, LATER[steps].sum(axis=0), 4, num_groups=2, num_nodes=2)
    contiguous, placed = found["placements"]
    assert (contiguous["name"], placed["name"]) == ("contiguous", "the plan")
    assert placed["balancedness"]["layers"] == pytest.approx(now.balancedness.tolist(), rel=1e-6)
    assert placed["gap"]["layers"] == pytest.approx(now.gap.tolist(), rel=1e-5, abs=1e-6)
    assert placed["doubled"] == now.doubled.sum()
    assert "first_call_seconds" not in placed
    expected = [balancedness(step) for step in LATER[steps]]
    assert [step["mean"] for step in found["steps"]] == pytest.approx([each.mean() for each in expected], rel=1e-6)
    assert [step["worst"] for step in found["steps"]] == pytest.approx([each.min() for each in expected], rel=1e-6)
    assert [step["worst_layer"] for step in found["steps"]] == [each.argmin() for each in expected]


def test_table_names_the_worst_layers_and_the_worst_step(
    file: Path, later: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = file.with_name("plan.npz")
    assert plan(file, "-o", written) == 0
    capsys.readouterr()
    assert run("evaluate", written, later, "--plot", file.with_name("later.png")) == 0
    table = capsys.readouterr().out
    now, over_time = balancedness(LATER.sum(axis=0)), np.stack([balancedness(step) for step in LATER])
    found = rows(table)
    assert found["the plan"][0] == f"{now.mean():.4f}"
    assert found["predicted"][0] == f"{balancedness(LOAD).mean():.4f}"
    first, second = np.argsort(now)
    assert f"worst layers: {first} ({now[first]:.4f}), {second} ({now[second]:.4f})" in table
    step, layer = np.unravel_index(over_time.argmin(), over_time.shape)
    worst = f"worst {over_time.min():.4f} (step {step}, layer {layer})"
    assert f"over 5 steps: balancedness mean {over_time.mean():.4f}, {worst}" in table
    assert file.with_name("later.png").stat().st_size > 10_000
    assert max(map(len, table.splitlines())) <= 80


def test_one_step_has_no_time(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = file.with_name("plan.npz")
    assert plan(file, "-o", written) == 0
    assert run("evaluate", written, file, "--plot", file.with_name("now.png")) == 0
    table = capsys.readouterr().out
    assert "steps" not in table
    assert rows(table)["predicted"][:2] == rows(table)["the plan"][:2]  # on the loads that it was made for


def test_a_plan_of_others_needs_phy2log_alone(later: Path, capsys: pytest.CaptureFixture[str]) -> None:
    triple = MADE._asdict()
    np.savez(later.with_name("triple.npz"), **triple)
    later.with_name("triple.json").write_text(json.dumps({"phy2log": MADE.phy2log.tolist(), "made_by": "others"}))
    for name in ("triple.npz", "triple.json"):
        assert run("evaluate", later.with_name(name), later, "--num-gpus=4", "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["predicted"] is None
        assert {size: found[size] for size in SIZES} == {**SIZES, "num_groups": 1, "num_nodes": 1}
        expected = evaluate(MADE, LATER.sum(axis=0), 4).gap
        assert found["placements"][1]["gap"]["layers"] == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-6)
        assert run("evaluate", later.with_name(name), later, "--num-gpus=4") == 0
        assert "predicted" not in capsys.readouterr().out


def test_sizes_given_override_those_of_the_plan(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = file.with_name("plan.npz")
    assert plan(file, "-o", written) == 0
    capsys.readouterr()
    assert run("evaluate", written, file, "--num-gpus=2", "--num-nodes=1", "--num-groups=3", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {size: found[size] for size in SIZES} == {
        "num_replicas": 8, "num_gpus": 2, "num_nodes": 1, "num_groups": 3,
    }  # fmt: skip
    expected = evaluate(MADE, LOAD, 2).balancedness
    assert found["placements"][1]["balancedness"]["layers"] == pytest.approx(expected.tolist(), rel=1e-6)


def plan_file(**more: Any) -> str:
    """A plan of two layers as JSON."""
    return json.dumps({"phy2log": MADE.phy2log.tolist(), "num_gpus": 4, **more})


REFUSED: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "empty": ("a.npy", "", (), "a.npy: the file is empty"),
    "text": ("a.npz", "text", (), "a.npz: no plan is read from files like this; the formats are sglang, sglang-jax,"),
    "no JSON": ("a.json", "{", (), "a.json: no .json file of a plan"),
    "no UTF-8": ("a.json", '{"\udcff": 1}', (), "a.json: no .json file of a plan"),
    "no lists": ("a.json", "[[0.5]]", (), "the list must be whole numbers [layers, slots], none of them 0, got shape"),
    "no phy2log": ("a.json", '{"load": 1}', (), "a plan has an array phy2log [layers, replicas], found: load"),
    "nothing": ("a.json", "{}", (), "found: nothing"),
    "floats": ("a.json", plan_file(phy2log=[[0.5]]), (), "phy2log must be whole numbers [layers, replicas], got shape"),
    "one axis": (
        "a.json",
        plan_file(phy2log=[0, 1]),
        (),
        "phy2log must be whole numbers [layers, replicas], got shape",
    ),
    "ragged": ("a.json", plan_file(phy2log=[[0, 1], [2]]), (), "phy2log must be rows of equal length"),
    "huge numbers": ("a.json", plan_file(phy2log=[[10**30]]), (), "phy2log must be whole numbers [layers, replicas]"),
    "size of text": ("a.json", plan_file(num_gpus="4"), (), "--num-gpus must be a whole number"),
    "short prediction": ("a.json", plan_file(balancedness=[1.0]), (), "2 layers in phy2log but 1 in balancedness"),
    "no GPUs": ("a.json", plan_file(num_gpus=0), (), "--num-gpus must be at least 1, got 0"),
    "GPUs don't divide": ("a.json", plan_file(), ("--num-gpus=5",), "--num-gpus must divide the slots of the plan"),
    "newer": (
        "a.json",
        '{"format_version": 2, "slots": []}',
        (),
        f"a.json: a plan of format_version 2, and eplb-xp {__version__} reads up to 1: a newer eplb-xp reads it",
    ),
    "version of text": ("a.json", plan_file(format_version="2"), (), "format_version must be a whole number"),
    "no groups": ("a.json", plan_file(), ("--num-groups=0",), "--num-groups must be at least 1, got 0"),
    "missing expert": ("a.json", plan_file(phy2log=[[0] * 8, [1] * 8]), (), "the plan misses 10 experts"),
    "no such expert": ("a.json", plan_file(phy2log=[[9] * 8] * 2), (), "names an expert that is not there: 9"),
    "other layers": (
        "a.json",
        plan_file(phy2log=[[0, 1, 2, 3, 4, 5, 0, 0]]),
        (),
        "the plan's number of layers is 1, and that of the loads is 2: the plan must have all of them",
    ),
    "no such idle layer": (
        "a.json",
        plan_file(idle_layers=[2]),
        (),
        "idle_layers must be layers of the plan, 0 to 1, got",
    ),
    "no idle numbers": (
        "a.json",
        plan_file(idle_layers=["a"]),
        (),
        "idle_layers must be numbers [layers], got shape (1,)",
    ),
    "few layer numbers": ("a.json", plan_file(layer_numbers=[3]), (), "2 layers in phy2log but 1 in layer_numbers"),
    "split groups": (
        "a.json",
        plan_file(phy2log=[[0, 3, 1, 4, 2, 5, 0, 0]] * 2),
        ("--num-groups=2", "--num-nodes=2"),
        "the plan splits groups over nodes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_plans_end_with_one_line(name: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ending, content, options, fault = REFUSED[name]
    path = file.with_name(ending)
    path.write_bytes(content.encode(errors="surrogateescape"))
    assert run("evaluate", path, file, *options) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert fault in err


def test_a_plan_without_gpus_asks_for_them(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(file.with_name("plan.npz"), phy2log=MADE.phy2log)
    assert run("evaluate", file.with_name("plan.npz"), file) == 2
    assert "give --num-gpus" in capsys.readouterr().err


def test_a_missing_plan_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", file.with_name("no.npz"), file) == 2
    assert re.fullmatch(r"eplb-xp: \S+/no.npz: can't be read: No such file or directory\n", capsys.readouterr().err)


def test_nothing_of_a_plan_is_unpickled(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(file.with_name("plan.npz"), phy2log=MADE.phy2log.astype(object))
    assert run("evaluate", file.with_name("plan.npz"), file) == 2
    assert "Object arrays cannot be loaded" in capsys.readouterr().err


def test_a_picture_overwrites_neither_plan_nor_loads(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = file.with_name("plan.npz")
    assert plan(file, "-o", written) == 0
    capsys.readouterr()
    for source in (file, written):
        file.with_name("link.png").unlink(missing_ok=True)
        file.with_name("link.png").symlink_to(source)
        assert run("evaluate", written, file, "--plot", file.with_name("link.png")) == 2
        assert "would overwrite what is read" in capsys.readouterr().err
