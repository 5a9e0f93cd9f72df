"""The benchmark of quality: no row is left out, and the figures are those of the plans."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.quality import __main__ as program
from benchmarks.quality import loads, measuring
from benchmarks.quality.loads import LOADS, RECORDINGS, Load
from benchmarks.quality.measuring import Row
from benchmarks.quality.published import Published, published
from benchmarks.quality.sizes import SIZES, Size
from benchmarks.quality.table import percent
from eplb_xp import POLICIES, evaluate, rebalance_experts
from eplb_xp.sizes import check_sizes
from tests.support.libraries import NumPyArray
from tests.support.loads import batch

# Figures of plans are looked at here, not how long they take.
pytestmark = pytest.mark.usefixtures("plainly_compiled")

IN_ORDER = ["greedy", *(policy for policy in POLICIES if policy != "greedy")]
ROWS = [(load.name, size, policy) for load in LOADS for size in SIZES[load.experts] for policy in IN_ORDER]
RECORDED = [load for load in LOADS if load.file]
OF_EPLB = [
    known
    for load, size in dict.fromkeys((load, size) for load, size, _ in ROWS)
    for known in published(load, size)
    if known.planner == "EPLB"
]


def unmeasured(name: str, load: NumPyArray, size: Size, policies: list[str]) -> list[Row]:
    """Rows as they come, of loads and sizes that fit, with figures that tell them apart."""
    layers, experts = load.shape
    check_sizes(experts, size.replicas, size.groups, size.nodes, size.gpus)
    assert (load >= 0).all()
    gaps = [1e-3 * (1 + (load[0, 0] * size.replicas + number) % 97) for number in range(len(policies))]
    return [
        Row(
            name,
            layers,
            experts,
            size,
            policy,
            gap,
            2 * gap,
            balancedness=0.5,
            doubled=3,
            seconds=1.0,
            rounds=2,
            ratio=1.0,
        )
        for policy, gap in zip(policies, gaps, strict=True)
    ]


def made_up(load: Load) -> Load:
    """A recording's place, without the file."""
    return load._replace(make=lambda _: np.ones((2, load.experts)), file=None)


def run(*arguments: str) -> Any:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        program.run([*arguments])
    return ended.value.code


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to write to, and no plan made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "rows", unmeasured)
    return tmp_path / "out"


def printed_rows(printed: str) -> list[tuple[str, str, str, str]]:
    """Load, size, policy and mean gap, as they stand in the table."""
    found = []
    load = size = ""
    for line in printed.splitlines():
        if line.strip() in {load.name for load in LOADS}:
            load = line.strip()
        elif (cells := line[30:].split()) and cells[0] in POLICIES:
            size = line[:30].strip() or size
            found.append((load, size, cells[0], cells[1]))
    return found


def test_every_load_size_and_policy_has_a_row(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "LOADS", tuple(made_up(load) if load.file else load for load in LOADS))
    assert run() == 0
    printed = capsys.readouterr().out
    document = json.loads((in_folder / "quality.json").read_text())
    rows = [(row["load"], Size(**row["size"]), row["policy"]) for row in document["rows"]]
    assert rows == ROWS
    shown = [percent(row["mean_gap"]) for row in document["rows"]]
    assert printed_rows(printed) == [
        (load, str(size), policy, gap) for (load, size, policy), gap in zip(ROWS, shown, strict=True)
    ]
    assert document["missing"] == []
    assert "missing" not in printed

    pairs = list(dict.fromkeys((load, size) for load, size, _ in ROWS))
    known = [(each["load"], Size(**each["size"]), each["planner"]) for each in document["published"]]
    assert known == [(*pair, each.planner) for pair in pairs for each in published(*pair)]
    assert len(known) == 3 * 10 + 2 * (8 + 5)
    assert printed.count("DeepSeek: EPLB") == 10 + 2 * 2

    head, _, *lines = (in_folder / "quality.md").read_text().splitlines()
    assert [cell.strip('" `') for cell in head.split("|")[3:-2]] == IN_ORDER
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [tuple(line[:2]) for line in cells] == [(load, str(size)) for load, size in pairs]
    assert [gap for line in cells for gap in line[2:-1]] == shown
    assert {line[-1] for line in cells if line[0] == "Zipf 1.5"} == {"", "28"}
    assert (in_folder / "quality.png").read_bytes().startswith(b"\x89PNG")


def test_missing_recordings_are_named_and_not_guessed(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = [load._replace(file=in_folder / f"{number}.npz") for number, load in enumerate(RECORDED)]
    monkeypatch.setattr(program, "LOADS", (LOADS[0], *nowhere))
    assert run("--policies", "swap") == 0
    document = json.loads((in_folder / "quality.json").read_text())
    assert document["missing"] == [load.name for load in RECORDED]
    assert {row["load"] for row in document["rows"]} == {LOADS[0].name}
    assert [row["policy"] for row in document["rows"][:3]] == ["greedy", "swap", "greedy"]
    unfolded = "".join(line.strip(" \n") for line in capsys.readouterr().out.splitlines())
    for load in nowhere:
        assert f"missing: {load.name}" in unfolded
        assert f"{load.file}".replace(" ", "") in unfolded.replace(" ", "")

    assert run("--only", "recorded") == 2
    assert str(nowhere[0].file) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policies", "swap,best"], ["'best'", *POLICIES]),
        (["--only", "zpif"], ["'zpif'", "Zipf 1.2", "kimi-k2", "recorded OLMoE"]),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(
    in_folder: Path, arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert all(words in printed.err for words in said), printed.err
    assert printed.out == ""
    assert not in_folder.exists()


def test_loads_are_chosen_by_name_and_drawn_from_the_seed(in_folder: Path) -> None:
    def rows(seed: int) -> list[dict[str, Any]]:
        assert run("--only", "ZIPF", "--seed", str(seed)) == 0
        document = json.loads((in_folder / "quality.json").read_text())
        assert document["seed"] == seed
        found: list[dict[str, Any]] = document["rows"]
        return found

    assert {row["load"] for row in rows(3)} == {"Zipf 1.2", "Zipf 1.5"}
    assert rows(3) == rows(3) != rows(4)


def test_figures_are_those_of_the_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "BUDGET", 0.0)
    size = Size(12, 4, groups=2, nodes=2)
    load = batch("zipf 2", 0, 5, 8)
    rows = measuring.rows("some", load, size, ["greedy", "swap"])
    for row, policy in zip(rows, ("greedy", "swap"), strict=True):
        plan = rebalance_experts(load, size.replicas, size.groups, size.nodes, size.gpus, policy=policy)
        report = evaluate(plan, load, size.gpus, num_groups=size.groups, num_nodes=size.nodes)
        assert row[:5] == ("some", 5, 8, size, policy)
        gaps = report.gap.mean(dtype=float), report.gap.max(), report.balancedness.mean(dtype=float)
        assert (row.mean_gap, row.worst_gap, row.balancedness) == pytest.approx(gaps, rel=1e-12)
        assert row.doubled == report.doubled.sum()
        assert row.ratio == row.seconds / rows[0].seconds
    assert rows[0].doubled > 0
    assert rows[0].mean_gap < rows[0].worst_gap


def test_layers_without_load_are_left_out_of_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "BUDGET", 0.0)
    load = batch("zipf 2", 0, 5, 8)
    load[3:] = 0
    (row,) = measuring.rows("some", load, Size(12, 4), ["greedy"])
    (busy,) = measuring.rows("some", load[:3], Size(12, 4), ["greedy"])
    assert (row.mean_gap, row.worst_gap, row.balancedness) == (busy.mean_gap, busy.worst_gap, busy.balancedness)


@pytest.mark.parametrize("known", OF_EPLB, ids=lambda known: f"{known.load}-{known.size}")
def test_greedy_does_what_is_published_of_eplb(known: Published) -> None:
    (load,) = (load for load in LOADS if load.name == known.load)
    if not load.is_there:
        pytest.skip(f"needs the recording {load.file}")
    weight, (replicas, gpus, groups, nodes) = load.make(0).astype(np.float64), known.size
    plan = rebalance_experts(weight, replicas, groups, nodes, gpus, policy="greedy")
    report = evaluate(plan, weight, gpus, num_groups=groups, num_nodes=nodes)
    # Loads that are not recorded are another draw.
    if known.mean_gap is not None:
        bound = np.maximum(report.gpu_load.mean(axis=1), (weight / plan.logcnt).max(axis=1))
        gap = float((report.gpu_load.max(axis=1) / bound - 1).mean())
        assert gap == pytest.approx(known.mean_gap, rel=0.05 if load.file else 0.12)
    else:
        assert float(report.balancedness.mean()) == pytest.approx(known.balancedness, abs=0.012)
        assert int(report.doubled.sum()) == pytest.approx(known.doubled, abs=8)


def test_windows_of_a_recording_are_layers(tmp_path: Path) -> None:
    steps = np.arange(6 * 2 * 3).reshape(6, 2, 3)
    np.savez(tmp_path / "a.npz", load=steps)
    found = loads.recorded(tmp_path / "a.npz", slice(2, 6), 2, 0)
    np.testing.assert_array_equal(found, np.concatenate([steps[2] + steps[3], steps[4] + steps[5]]))


@pytest.mark.parametrize(
    ("name", "layers"), [("DeepSeek-R1", 58), ("gpt-oss-20b", 24), ("DeepSeek-V2-Lite", 104), ("OLMoE", 18)]
)
def test_recordings_have_the_layers_of_their_windows(name: str, layers: int) -> None:
    (load,) = (load for load in RECORDED if load.name == f"recorded {name}")
    if not load.is_there:
        pytest.skip(f"needs the recording in {RECORDINGS}")
    assert load.make(0).shape == (layers, load.experts)
