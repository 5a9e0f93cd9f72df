"""``eplb-xp plan``, from its arguments to its exit code, table, JSON and plan file."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eplb_xp
from eplb_xp import POLICIES, Plan, evaluate, rebalance_experts
from eplb_xp.cli import planning
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Planner
from eplb_xp.cli.summary import percent
from tests.support.command_line import LOAD, SIZES, plan, rows
from tests.support.libraries import NumPyArray
from tests.support.paths import SHARED

RECORDED = SHARED / "loads"


@pytest.mark.parametrize("policy", POLICIES)
def test_table_compares_contiguous_experts_with_the_plan(
    policy: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(file, policy=policy) == 0
    table, err = capsys.readouterr()
    assert err == ""
    report = evaluate(rebalance_experts(LOAD, **SIZES, policy=policy), LOAD, 4, num_groups=2, num_nodes=2)
    # Six experts on four GPUs: 0 and 1, 2 and 3, 4, 5.
    busiest = np.array([90 + 132, 197])
    before = LOAD.sum(axis=1) / 4 / busiest
    gap = busiest / report.lower_bound - 1
    assert table.splitlines()[:3] == [
        "loads.npz",
        "2 layers x 6 experts, 1,103 tokens",
        "8 replicas on 4 GPUs of 2 nodes, 1 whole group on each",
    ]
    found = rows(table)
    assert found["contiguous"] == [
        f"{before.mean():.4f}",
        f"{before[1]:.4f} (1)",
        f"{gap.mean():.1%}",
        f"{gap.max():.1%}",
        "0",
        "-",
        "-",
    ]
    worst = np.argmin(report.balancedness)
    assert found[policy][:-2] == [
        f"{report.balancedness.mean():.4f}",
        f"{report.balancedness[worst]:.4f} ({worst})",
        percent(report.gap.mean()),
        percent(report.gap.max()),
        str(report.doubled.sum()),
    ]
    assert all(float(duration.removesuffix(" ms")) > 0 for duration in found[policy][-2:])


@pytest.mark.parametrize("policy", POLICIES)
def test_json_holds_what_the_library_says(policy: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(file, "--json", policy=policy) == 0
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    found = json.loads(out)
    report = evaluate(rebalance_experts(LOAD, **SIZES, policy=policy), LOAD, 4, num_groups=2, num_nodes=2)
    placements = found.pop("placements")
    assert found == {
        "title": "loads.npz", "num_steps": 1, "num_layers": 2, "num_experts": 6, "idle_steps": 0, "idle_layers": 0,
        "tokens": 1103, **SIZES,
    }  # fmt: skip
    assert [placed["name"] for placed in placements] == ["contiguous", policy]
    assert [placed["replicas"] for placed in placements] == [6, 8]
    assert placements[0]["balancedness"]["layers"] == pytest.approx([592 / 4 / 222, 511 / 4 / 197])
    assert placements[1]["doubled"] == report.doubled.sum()
    assert placements[1]["first_call_seconds"] > 0
    assert placements[1]["later_calls_seconds"] > 0
    for name, values, worst in (
        ("balancedness", report.balancedness, np.argmin(report.balancedness)),
        ("gap", report.gap, np.argmax(report.gap)),
    ):
        assert placements[1][name]["layers"] == pytest.approx(values.tolist(), rel=1e-6, abs=1e-6)
        assert placements[1][name]["mean"] == pytest.approx(values.mean(), rel=1e-6, abs=1e-6)
        assert placements[1][name]["worst"] == pytest.approx(values[worst], rel=1e-6, abs=1e-6)
        assert placements[1][name]["worst_layer"] == worst


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.00004, "0.004%"), (0.0002, "0.02%"), (0.0999, "9.99%"), (0.123, "12.3%"), (1.23, "123%")],
)
def test_small_shares_have_more_digits(share: float, text: str) -> None:
    assert percent(share) == text


def test_table_fits_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loads = np.zeros((120, 256))
    loads[:, 0] = 1e30  # a worst case of wide cells
    path = tmp_path / f"{'a long name ' * 20}.npy"
    np.save(path, loads)
    assert plan(path, num_replicas=384, num_groups=1000, num_nodes=3, num_gpus=128) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("a long name a long name")
    assert lines[0].endswith("...")
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)
    assert rows("\n".join(lines))["contiguous"][3] == "12700%"


def test_a_file_name_is_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "$\\frac{1}$ of [red]red[\x1b[31m].npy"  # neither matplotlib nor rich nor a terminal could read it
    np.save(tmp_path / name, LOAD)
    assert plan(tmp_path / name, "--plot", tmp_path / "plan.png") == 0
    assert capsys.readouterr().out.startswith("$\\frac{1}$ of [red]red[ [31m].npy\n")


@pytest.mark.parametrize("ending", ["npz", "json"])
def test_output_holds_the_plan_and_what_it_was_made_with(ending: str, file: Path, tmp_path: Path) -> None:
    assert plan(file, "-o", tmp_path / f"plan.{ending}") == 0
    made = rebalance_experts(LOAD, **SIZES)
    balancedness = evaluate(made, LOAD, 4, num_groups=2, num_nodes=2).balancedness
    written: dict[str, Any]
    if ending == "npz":
        with np.load(tmp_path / "plan.npz", allow_pickle=False) as archive:
            written = dict(archive)
    else:
        written = json.loads((tmp_path / "plan.json").read_text())
    np.testing.assert_allclose(np.asarray(written.pop("balancedness"), np.float32), balancedness, rtol=1e-6)
    made_by = {"format_version": 1, "eplb_xp_version": eplb_xp.__version__, "policy": "joint"}
    expected = {**made._asdict(), **SIZES, **made_by, "num_experts": 6, "num_layers": 2, "layer_numbers": [0, 1]}
    assert np.asarray(written.pop("idle_layers")).size == 0
    assert sorted(written) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(np.asarray(written[name]), np.asarray(value), strict=True)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_makes_the_same_plan(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Loads beyond int32, which JAX would wrap.
    np.save(tmp_path / "loads.npy", LOAD * 2**28)
    for name in ("numpy", backend):
        assert plan(tmp_path / "loads.npy", "-o", tmp_path / f"{name}.json", backend=name, policy="swap") == 0
    assert capsys.readouterr().err == ""
    assert (tmp_path / f"{backend}.json").read_text() == (tmp_path / "numpy.json").read_text()


@pytest.mark.parametrize(
    ("steps", "chosen"),
    [
        ("1:3", slice(1, 3)),
        (":2", slice(2)),
        ("-2:", slice(-2, None)),
        ("::2", slice(None, None, 2)),
        (":", slice(None)),
        (" 1 : -1 ", slice(1, -1)),
    ],
)
def test_steps_are_chosen_as_in_python(
    steps: str, chosen: slice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    over_time = np.random.default_rng(0).integers(0, 1000, (5, 2, 6))
    np.save(tmp_path / "loads.npy", over_time)
    assert plan(tmp_path / "loads.npy", "--steps", steps, "--json", "-o", tmp_path / "plan.npz") == 0
    assert json.loads(capsys.readouterr().out)["num_steps"] == len(over_time[chosen])
    expected = rebalance_experts(over_time[chosen].sum(axis=0), **SIZES)
    with np.load(tmp_path / "plan.npz") as written:
        np.testing.assert_array_equal(written["phy2log"], expected.phy2log)


def test_max_replicas_caps_the_counts(tmp_path: Path) -> None:
    np.save(tmp_path / "loads.npy", [[1000, 1, 1, 1, 1, 1]])
    assert (
        plan(tmp_path / "loads.npy", "-o", tmp_path / "plan.npz", num_replicas=12, policy="swap", max_replicas=3) == 0
    )
    with np.load(tmp_path / "plan.npz") as written:
        assert written["log2phy"].shape == (1, 6, 3)
        assert written["logcnt"].max() <= 3


@pytest.mark.parametrize(("seconds", "calls"), [(0.0, 6), (0.06, 3), (0.2, 2)])
def test_slow_plans_are_not_made_often(seconds: float, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def slow(*_: Any, **__: Any) -> Plan[NumPyArray]:
        nonlocal made
        made += 1
        time.sleep(seconds)
        return rebalance_experts(LOAD, **SIZES, policy="greedy")

    monkeypatch.setattr(planning, "rebalance_experts", slow)
    monkeypatch.setattr(planning, "SECONDS", 0.1)
    times = Planner("greedy").timed_plan(LOAD, Layout(**SIZES)).times
    assert made == calls
    assert times is not None
    assert min(times) >= seconds


def test_the_first_call_has_a_column_of_its_own(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter((1.0, *[0.01] * 10))

    def compiled(*args: Any, **kwargs: Any) -> Plan[NumPyArray]:
        time.sleep(next(seconds))
        return rebalance_experts(*args, **kwargs)

    monkeypatch.setattr(planning, "rebalance_experts", compiled)
    assert plan(file) == 0
    planning_time, first_call = rows(capsys.readouterr().out)["joint"][-2:]
    assert planning_time.endswith(" ms")
    assert first_call.endswith(" s")


@pytest.mark.parametrize(
    ("file", "sizes"),
    [
        ("dsr1_nvfp4_srtslurm_8k1k.npz", (288, 8, 4, 32)),
        ("gptoss20b_decode_bydomain_b64.npz", (40, 1, 1, 8)),
        ("dsv2lite_esft_prefill_chunk512.npz", (80, 1, 1, 16)),
        ("olmoe_domains.npz", (72, 4, 2, 8)),
    ],
)
def test_recorded_loads(
    file: str, sizes: tuple[int, int, int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = RECORDED / file
    if not path.exists():
        pytest.skip("the recorded loads are not part of the project")
    output, plot = tmp_path / "plan.npz", tmp_path / "plan.png"
    assert plan(path, "-o", output, "--plot", plot, "--json", **dict(zip(SIZES, sizes, strict=True))) == 0
    before, after = json.loads(capsys.readouterr().out)["placements"]
    assert before["balancedness"]["mean"] < after["balancedness"]["mean"] <= 1
    assert plot.stat().st_size > 10_000
    with np.load(path) as recorded, np.load(output) as written:
        load = recorded["load"].astype(np.float64)
        expected = rebalance_experts(load.reshape(-1, *load.shape[-2:]).sum(axis=0), *sizes)
        np.testing.assert_array_equal(written["phy2log"], expected.phy2log)
