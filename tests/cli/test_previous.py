"""``eplb-xp plan`` that follows a plan in use, and plans for samples."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp import Moves, Plan, evaluate, moves, rebalance_experts
from eplb_xp.cli.amounts import in_letters
from eplb_xp.loads import samples
from tests.support.command_line import document, run
from tests.support.libraries import NumPyArray

STEPS = np.random.default_rng(3).integers(1, 90, (9, 3, 6))  # [steps, layers, experts]
SIZES = ("--num-replicas=8", "--num-gpus=4")
USED = rebalance_experts(STEPS[:2].sum(axis=0), 8, 1, 1, 4)
NEW = STEPS[2:].sum(axis=0)  # of seven steps: five are planned for once more, and two judged


@pytest.fixture
def loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Loads of nine steps, and beside them ``used.npz``, a plan of the first two."""
    np.save(tmp_path / "loads.npy", STEPS)
    assert run("plan", tmp_path / "loads.npy", *SIZES, "--steps=:2", "-o", tmp_path / "used.npz") == 0
    capsys.readouterr()
    return tmp_path / "loads.npy"


def follow(loads: Path, *more: str | Path) -> int:
    """Plan for the other steps, following the plan in use."""
    return run("plan", loads, *SIZES, "--steps=2:", "--previous", loads.with_name("used.npz"), *more)


def following(load: NumPyArray, **settings: Any) -> Plan[NumPyArray]:
    """What the library makes of it."""
    return rebalance_experts(load, 8, 1, 1, 4, previous=USED, **settings)


def close(values: NumPyArray) -> Any:
    """Those, but for rounding."""
    return pytest.approx(values.tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ((), {}),
        (("--max-moves=1",), {"max_moves": 1}),
        (("--max-moves=26%",), {"max_moves": 2}),
        (("--max-moves=25%", "--min-gain=0.05"), {"max_moves": 2, "min_gain": 0.05}),
        (("--min-gain=1",), {"min_gain": 1}),
        (("--policy=ring", "--max-moves=2"), {"max_moves": 2, "policy": "ring"}),
        (("--backend=jax", "--max-moves=1"), {"max_moves": 1}),
        (("--backend=torch", "--max-moves=1"), {"max_moves": 1}),
    ],
)
def test_the_plan_follows_the_one_in_use(
    options: tuple[str, ...], settings: dict[str, Any], loads: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(loads, *options, "--json", "-o", loads.with_name("new.npz")) == 0
    found = document(capsys)
    expected = following(NEW, **settings)
    with np.load(loads.with_name("new.npz")) as written:
        np.testing.assert_array_equal(written["phy2log"], expected.phy2log)
    names = [placed["name"] for placed in found["placements"]]
    assert names == ["contiguous", "previous", settings.get("policy", "joint")]
    for placed, made in zip(found["placements"][1:], (USED, expected), strict=True):
        assert placed["balancedness"]["layers"] == close(evaluate(made, NEW, 4).balancedness)
    received: Moves[NumPyArray] = moves(USED, expected, 4)
    slots = received.received.sum(axis=1)
    assert found["moved_slots"] == {
        "mean": pytest.approx(slots.mean()),
        "mean_share": pytest.approx(slots.mean() / 8),
        "most": slots.max(),
        "most_share": slots.max() / 8,
        "most_layer": slots.argmax(),
        "layers": slots.tolist(),
    }
    assert "moved_bytes" not in found
    assert "samples" not in found


def test_later_steps_are_judged_by_a_plan_that_follows_it_too(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(loads, "--max-moves=1", "--json") == 0
    _, previous, new = document(capsys)["placements"]
    for placed, made in ((previous, USED), (new, following(STEPS[2:7].sum(axis=0), max_moves=1))):
        equal = np.stack([evaluate(made, step, 4).balancedness for step in STEPS[7:]])
        assert (placed["later"]["planned_steps"], placed["later"]["steps"]) == (5, 2)
        assert placed["later"]["equal_layers"] == close(equal.mean(axis=0))


def test_the_table_says_what_moves(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("--num-nodes=2", "--num-groups=1")
    np.savez(loads.with_name("used.npz"), phy2log=USED.phy2log)  # of nodes that it doesn't name
    assert follow(loads, *sizes, "--expert-bytes=44M", "--max-moves=2", "--json") == 0
    found = document(capsys)
    number = moves(USED, following(NEW, max_moves=2), 4, 2).bytes(44_000_000)
    across = int(number.sent_across.sum())
    assert found["moved_bytes"] == {
        "total": number.total,
        "most": number.received.max(),
        "most_gpu": number.received.argmax(),
        "across_nodes": across,
        "gpus": number.received.tolist(),
    }
    assert follow(loads, *sizes, "--expert-bytes=44M", "--max-moves=2", "--plot", loads.with_name("new.png")) == 0
    table = capsys.readouterr().out
    slots, most = found["moved_slots"], in_letters(int(number.received.max()))
    assert f"moved slots: mean {slots['mean']:.2f} of 8 a layer ({slots['mean_share']:.1%}), most 2 (25.0%" in table
    assert f"moved bytes: {in_letters(number.total)} in all, most {most} to a GPU" in table
    assert f", {in_letters(across)} across nodes\n" in table
    assert "\nprevious  " in table
    assert "previous: the plan in use" in table
    assert max(map(len, table.splitlines())) <= 80
    assert loads.with_name("new.png").stat().st_size > 10_000
    assert follow(loads, *sizes) == 0
    assert "moved bytes" not in capsys.readouterr().out


def test_layers_are_chosen_from_the_plan_in_use(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(loads, "--layers=1:", "--max-moves=0", "--json", "-o", loads.with_name("new.json")) == 0
    assert document(capsys)["moved_slots"]["layers"] == [0, 0]
    content = json.loads(loads.with_name("new.json").read_text())
    assert content["phy2log"] == USED.phy2log[1:].tolist()
    assert run("plan", loads, *SIZES, "--previous", loads.with_name("new.json")) == 2
    err = capsys.readouterr().err
    assert err.endswith(
        "new.json: the plan is for 2 of the 3 layers, and not for layer 0: --layers A:B chooses those that it is for\n"
    )


def test_samples_are_planned_for(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = loads.with_name("new.json")
    assert run("plan", loads, *SIZES, "--steps=2:", "--samples=6", "--json", "-o", output) == 0
    found = document(capsys)
    expected = rebalance_experts(samples(STEPS[2:], 6), 8, 1, 1, 4)
    assert json.loads(output.read_text())["phy2log"] == expected.phy2log.tolist()
    assert found["samples"] == 6
    placed = found["placements"][1]
    assert placed["balancedness"]["layers"] == close(evaluate(expected, NEW, 4).balancedness)
    earlier = rebalance_experts(STEPS[2:7], 8, 1, 1, 4)  # as many samples as there are steps
    equal = np.stack([evaluate(earlier, step, 4).balancedness for step in STEPS[7:]])
    assert placed["later"]["equal_layers"] == close(equal.mean(axis=0))
    assert follow(loads, "--samples=3", "--max-moves=1", "-o", output) == 0
    out = capsys.readouterr().out
    assert "planned for 3 samples of the steps" in out
    assert "counts half" not in out
    assert json.loads(output.read_text())["phy2log"] == following(samples(STEPS[2:], 3), max_moves=1).phy2log.tolist()


@pytest.mark.parametrize("number", [None, 3])
def test_recent_steps_count_more(number: int | None, loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = loads.with_name("new.json")
    options = ["--half-life=1.5", *([] if number is None else [f"--samples={number}"])]
    assert run("plan", loads, *SIZES, *options, "-o", output) == 0
    assert "a step that is 1.5 older than another counts half of it in the plan" in capsys.readouterr().out
    weight = samples(STEPS, number or 1, half_life=1.5)
    written = json.loads(output.read_text())
    assert written["phy2log"] == rebalance_experts(weight if number else weight[0], 8, 1, 1, 4).phy2log.tolist()
    assert (written["half_life"], written.get("samples")) == (1.5, number)
    assert run("plan", loads, *SIZES, *options, "--json") == 0
    assert document(capsys)["half_life"] == 1.5


@pytest.mark.parametrize("ending", ["npz", "json"])
def test_a_file_says_what_its_plan_was_made_with(
    ending: str, loads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / f"new.{ending}"
    assert follow(loads, "--samples=2", "--max-moves=30%", "--min-gain=0.01", "-o", output) == 0
    if ending == "npz":
        with np.load(output, allow_pickle=False) as archive:
            content: dict[str, Any] = dict(archive)
    else:
        content = json.loads(output.read_text())
    made_with = {name: np.asarray(content[name]).item() for name in ("samples", "max_moves", "min_gain", "num_experts")}
    assert made_with == {"samples": 2, "max_moves": "30%", "min_gain": 0.01, "num_experts": 6}
    promised = np.asarray(content["balancedness"]).tolist()
    capsys.readouterr()
    assert run("evaluate", output, loads, "--steps=2:", "--json") == 0
    judged = document(capsys)
    assert judged["predicted"]["layers"] == promised
    assert judged["placements"][1]["balancedness"]["layers"] == pytest.approx(promised, rel=1e-6)
    assert run("plan", loads, *SIZES, "--previous", output, "--max-moves=0", "--json") == 0
    assert document(capsys)["moved_slots"]["most"] == 0


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "other replicas": (("--num-replicas=12",), "number of replicas is 8, and that of the new one 12: a plan follows"),
    "other GPUs": (("--num-gpus=2",), "used.npz: the previous plan's number of GPUs is 4, and that of the new one 2"),
    "other nodes": (("--num-nodes=2",), "number of nodes is 1, and that of the new one 2"),
    "moves": (("--max-moves=few",), "--max-moves must be a whole number of slots of a layer"),
    "too many replicas": (("--max-replicas=1", "--num-replicas=8"), "--max-replicas"),
    "bytes": (("--expert-bytes=none",), "--expert-bytes must be whole bytes from 1 up"),
    "gain": (("--min-gain=2",), "--min-gain must be between 0 and 1, got 2"),
    "samples": (("--samples=8",), "--samples must be at most the number of steps, got 8 for 7"),
    "no samples": (("--samples=0",), "'--samples'"),
    "no half-life": (("--half-life=0",), "--half-life must be a number of steps above 0, got 0"),
    "endless half-life": (("--half-life=inf",), "--half-life must be a number of steps above 0, got inf"),
    "one step": (("--half-life=3", "--steps=-1:"), "--half-life goes with loads of several steps, got 1"),
    "no plan": (("--previous=no.npz",), "no.npz: can't be read: No such file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str, loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, fault = REFUSED[name]
    assert follow(loads, *options) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert fault in err


FILES: dict[str, tuple[dict[str, Any], str]] = {
    "other experts": ({"num_experts": 64}, "number of experts is 64, and that of the new one 6"),
    "other layers": ({"phy2log": USED.phy2log[:2]}, "the plan's number of layers is 2, and that of the loads is 3"),
    "missing experts": ({"phy2log": USED.phy2log * 0}, "the plan misses 15 experts"),
    "empty slots": ({"phy2log": USED.phy2log * 0 - 1}, "names an expert that is not there: -1 at [0, 0]"),
    "newer": ({"format_version": 2}, "a plan of format_version 2"),
}


@pytest.mark.parametrize("name", FILES)
def test_other_plans_are_refused(name: str, loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, fault = FILES[name]
    np.savez(loads.with_name("used.npz"), **{"phy2log": USED.phy2log, **content})
    assert follow(loads) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "used.npz: " in err
    assert fault in err


@pytest.mark.parametrize("option", ["--max-moves=3", "--min-gain=0", "--expert-bytes=44M"])
def test_nothing_is_followed_without_a_plan(option: str, loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", loads, *SIZES, option) == 2
    name = option.partition("=")[0]
    assert capsys.readouterr().err == f"eplb-xp: {name} goes with --previous: give the plan in use\n"


def test_the_plan_in_use_is_not_overwritten(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(loads, "-o", loads.with_name("used.npz")) == 2
    assert "would overwrite what is read" in capsys.readouterr().err
