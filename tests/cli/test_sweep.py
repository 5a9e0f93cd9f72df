"""``eplb-xp sweep``."""

import json
from pathlib import Path

import numpy as np
import pytest

from eplb_xp import POLICIES, evaluate, rebalance_experts
from eplb_xp.cli.comparison import Measured
from eplb_xp.cli.files import summed
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.sweeping import Sweep, usual_gpu_list, usual_replica_list
from tests.support.command_line import LOAD, run

LISTS = ("--num-replicas=9,6,8,12,8", "--num-gpus=4,3")


@pytest.mark.parametrize("policy", POLICIES)
def test_json_holds_what_the_library_says(policy: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sweep", file, *LISTS, "--policy", policy, "--json") == 0
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    found = json.loads(out)
    assert found["policy"] == policy
    sizes = [(result["num_gpus"], result["num_replicas"]) for result in found["results"]]
    assert sizes == [(3, 6), (3, 9), (3, 12), (4, 8), (4, 12)]
    for result, (gpus, replicas) in zip(found["results"], sizes, strict=True):
        report = evaluate(rebalance_experts(LOAD, replicas, 1, 1, gpus, policy=policy), LOAD, gpus)
        assert result["balancedness"]["layers"] == pytest.approx(report.balancedness.tolist(), rel=1e-6)
        assert result["gap"]["mean"] == pytest.approx(report.gap.mean(), rel=1e-5, abs=1e-6)
        assert result["doubled"] == report.doubled.sum()
    assert [(each["num_gpus"], each["num_replicas"]) for each in found["skipped"]] == [(3, 8), (4, 6), (4, 9)]
    assert found["skipped"][0]["reason"].startswith("--num-replicas must be a multiple of --num-gpus: 8 is not")
    assert [each["num_gpus"] for each in found["worth"]] == [3, 4]


def test_table_has_a_row_for_each_number_of_replicas(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sweep", file, *LISTS, "--plot", file.with_name("sweep.png")) == 0
    table, err = capsys.readouterr()
    assert err == ""
    cells = [line.split() for line in table.splitlines()]
    by_replicas = {line[0]: line[1:] for line in cells if line and line[0].isdigit() and line[1].startswith("+")}
    assert {replicas: line[0] for replicas, line in by_replicas.items()} == {
        "6": "+0.0%", "8": "+33.3%", "9": "+50.0%", "12": "+100.0%",
    }  # fmt: skip
    assert by_replicas["6"][-1] == "-"
    report = evaluate(rebalance_experts(LOAD, 8, 1, 1, 4), LOAD, 4)
    assert by_replicas["8"][1:3] == ["-", f"{report.balancedness.mean():.4f}"]
    assert table.count("*") == 3  # one for each number of GPUs, and the note
    assert "(3 skipped)" in table
    assert "4 GPUs: " in table
    assert file.with_name("sweep.png").stat().st_size > 10_000


def test_one_size_has_no_verdict(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = file.with_name("sweep.png")
    assert run("sweep", file, "--num-replicas=8", "--num-gpus=4", "--plot", plot) == 0
    assert "4 GPUs: " not in capsys.readouterr().out
    assert plot.stat().st_size > 10_000


def test_many_numbers_of_gpus_fit_80_columns(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpus = ",".join(map(str, range(1, 13)))
    assert run("sweep", file, "--num-gpus", gpus, "--num-replicas", "12,24,36,1200") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)
    headers = " ".join(line for line in lines if line.startswith("replicas"))
    assert headers.count("GPUs") == 10  # 12 replicas and more divide over neither 7 nor ... GPUs


def test_usual_sizes_are_swept_without_being_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "loads.npy", np.random.default_rng(0).lognormal(3, 1, (2, 256)))
    assert run("sweep", tmp_path / "loads.npy", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    sizes = {(result["num_replicas"], result["num_gpus"]) for result in found["results"]}
    assert {(256, 16), (272, 16), (288, 32), (320, 64), (512, 64)} <= sizes
    assert all(replicas <= 512 for replicas, _ in sizes)


@pytest.mark.parametrize("experts", [1, 6, 60, 256, 384])
def test_every_usual_number_of_gpus_has_some_replicas(experts: int) -> None:
    gpus = usual_gpu_list(experts)
    for num_gpus in gpus:
        replicas = usual_replica_list(experts, gpus)
        assert any(number % num_gpus == 0 and number >= experts for number in replicas)


def swept(balancedness: dict[int, float]) -> Sweep:
    """A sweep of 10 experts on 2 GPUs with these results."""
    loads = summed(np.ones((1, 1, 10)), "")
    rest = np.zeros(1)
    results = tuple(
        (Layout(replicas, 1, 1, 2), Measured("", replicas, rest, np.array([value]), rest, rest))
        for replicas, value in balancedness.items()
    )
    return Sweep(loads, "greedy", results, ())


@pytest.mark.parametrize(
    ("balancedness", "worth"),
    [
        ({10: 0.90, 12: 0.93, 14: 0.94}, 12),  # 20 % of memory cost 0.02
        ({10: 0.90, 12: 0.915, 14: 0.95}, 14),
        ({10: 0.99, 12: 1.0}, 10),
        ({10: 0.9, 12: 0.8, 14: 0.9}, 10),
        ({20: 0.9}, 20),
    ],
)
def test_replicas_are_worth_it_while_they_bring_more_than_their_memory(
    balancedness: dict[int, float], worth: int
) -> None:
    assert swept(balancedness).worth(2) == worth


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--num-gpus=4,x",), "--num-gpus must be numbers from 1 up with commas between, such as 8,16, got '4,x'"),
        (("--num-replicas=",), "--num-replicas must be numbers from 1 up with commas between"),
        (("--num-gpus=0",), "--num-gpus must be numbers from 1 up"),
        (("--num-replicas=7", "--num-gpus=2"), "none of the sizes fit together, the first because --num-replicas"),
        (("--num-groups=4", "--num-nodes=2"), "--num-groups must divide the number of experts"),
        (("--policy=best",), "policy 'best' is not known"),
        (("--steps=3",), "--steps must be A:B"),
        (("--plot=sweep.txt",), "--plot must end in .png or .pdf or .svg, got sweep.txt"),
    ],
)
def test_bad_options_end_with_one_line(
    options: tuple[str, ...], fault: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sweep", file, *options) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert fault in err


def test_groups_are_kept_on_nodes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("--num-replicas=8", "--num-gpus=4", "--num-groups=2", "--num-nodes=2")
    assert run("sweep", file, *sizes, "--json") == 0
    found = json.loads(capsys.readouterr().out)["results"][0]
    report = evaluate(rebalance_experts(LOAD, 8, 2, 2, 4), LOAD, 4, num_groups=2, num_nodes=2)
    assert found["gap"]["layers"] == pytest.approx(report.gap.tolist(), rel=1e-5, abs=1e-6)
    assert run("sweep", file, *sizes) == 0
    assert "policy joint, 2 groups kept whole on 2 nodes" in capsys.readouterr().out
