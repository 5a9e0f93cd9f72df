"""The command line, from its arguments to its exit code, table, plan file and picture."""

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from command_line import LOAD, SIZES, plan
from eplb_xp import evaluate, rebalance_experts
from eplb_xp.cli import main
from eplb_xp.cli.comparison import compare, contiguous
from eplb_xp.cli.demo import demo_loads
from eplb_xp.cli.files import Loads
from eplb_xp.cli.planning import Backend, Request, make_plan
from eplb_xp.cli.plot import draw
from libraries import NumPyArray

RECORDED = Path(__file__).parents[2] / "shared" / "loads"


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in CI, whatever the terminal that the tests run in."""
    monkeypatch.setenv("COLUMNS", "80")


def rows(table: str) -> dict[str, list[str]]:
    """The cells of the table by their row."""
    cells = [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()]
    return {line[0]: line[1:] for line in cells if len(line) == 3}


def test_table_compares_contiguous_experts_with_the_plan(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(file) == 0
    table = capsys.readouterr().out
    report = evaluate(rebalance_experts(LOAD, **SIZES), LOAD, 4, num_groups=2, num_nodes=2)
    # Six experts on four GPUs: 0 and 1, 2 and 3, 4, 5.
    busiest = np.array([90 + 132, 197])
    before = LOAD.sum(axis=1) / 4 / busiest
    gap = busiest / report.lower_bound - 1
    assert table.splitlines()[:3] == [
        "a small model",
        "2 layers x 6 experts, 1,103 tokens",
        "8 replicas on 4 GPUs of 2 nodes, 1 whole group on each",
    ]
    worst = np.argmin(report.balancedness), np.argmax(report.gap), np.argmax(gap)
    assert rows(table) == {
        "balancedness, mean": [f"{before.mean():.4f}", f"{report.balancedness.mean():.4f}"],
        "balancedness, worst layer": [
            f"{before[1]:.4f} (layer 1)",
            f"{report.balancedness[worst[0]]:.4f} (layer {worst[0]})",
        ],
        "gap, mean": [f"{gap.mean():.2%}", f"{report.gap.mean():.2%}"],
        "gap, worst layer": [
            f"{gap[worst[2]]:.2%} (layer {worst[2]})",
            f"{report.gap[worst[1]]:.2%} (layer {worst[1]})",
        ],
        "replicas": ["6", "8"],
        "replicas a GPU": ["1 or 2", "2"],
        "doubled replicas, all layers": ["0", str(report.doubled.sum())],
        "planning time, numpy": ["-", rows(table)["planning time, numpy"][1]],
        "planning time, first call": ["-", rows(table)["planning time, first call"][1]],
    }
    assert float(rows(table)["planning time, numpy"][1].removesuffix(" ms")) > 0


def test_table_fits_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loads = np.zeros((120, 256))
    loads[:, 0] = 1e30  # a worst case of wide cells
    np.savez(tmp_path / "wide.npz", load=loads, model="a long name " * 20)
    assert plan(tmp_path / "wide.npz", num_replicas=384, num_groups=1000, num_nodes=3, num_gpus=128) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)
    assert len(rows("\n".join(lines))) == 9


def test_output_holds_the_plan_and_what_it_was_made_with(file: Path, tmp_path: Path) -> None:
    assert plan(file, "-o", tmp_path / "plan.npz") == 0
    expected = rebalance_experts(LOAD, **SIZES)._asdict() | SIZES | {"policy": "greedy"}
    with np.load(tmp_path / "plan.npz", allow_pickle=False) as written:
        assert sorted(written) == sorted(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(written[name], np.asarray(value), strict=True)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_makes_the_same_plan(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Loads beyond int32, which JAX would wrap.
    np.save(tmp_path / "loads.npy", LOAD * 2**28)
    for name in ("numpy", backend):
        assert plan(tmp_path / "loads.npy", "-o", tmp_path / f"{name}.npz", backend=name) == 0
    assert f"planning time, {backend}" in capsys.readouterr().out
    with np.load(tmp_path / "numpy.npz") as expected, np.load(tmp_path / f"{backend}.npz") as written:
        assert sorted(written) == sorted(expected)
        for name in expected:
            np.testing.assert_array_equal(written[name], expected[name], strict=True)


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_plot_is_drawn_in_every_format(ending: str, start: bytes, file: Path, tmp_path: Path) -> None:
    assert plan(file, "--plot", tmp_path / f"plan.{ending}") == 0
    assert (tmp_path / f"plan.{ending}").read_bytes().startswith(start)


def test_title_is_no_markup(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    title = r"$\frac{1}$ of [red]red[/blue]"  # neither matplotlib nor rich could read it
    np.savez(file, load=LOAD, model=title)
    assert plan(file, "--plot", file.parent / "plan.png") == 0
    assert capsys.readouterr().out.startswith(f"{title}\n")


def picture(load: NumPyArray, sizes: tuple[int, int, int, int]) -> Figure:
    """The figure for loads and sizes."""
    request = Request(*sizes, "greedy", Backend.numpy)
    made = make_plan(load, request).plan
    return draw(Loads(load, "title"), request, *compare(load, made, request))


@pytest.mark.parametrize(
    ("layers", "sizes"), [(1, (72, 1, 1, 8)), (24, (80, 2, 2, 16)), (58, (128, 1, 1, 128)), (3, (64, 1, 1, 1))]
)
def test_picture_shows_both_on_one_scale(layers: int, sizes: tuple[int, int, int, int]) -> None:
    load = np.random.default_rng(0).lognormal(0, 1, (layers, 64)).round(3)
    load[0] = 0
    figure = picture(load, sizes)
    figure.draw_without_rendering()  # warns, which is an error here, where the layout doesn't fit
    before, after, lines = figure.axes[:3]
    shares = [axes.images[0].get_array() for axes in (before, after)]
    limits = [axes.images[0].get_clim() for axes in (before, after)]
    assert limits[0] == limits[1]
    assert limits[0][0] * limits[0][1] == pytest.approx(1)  # an even share is the middle of the scale
    for share, line in zip(shares, lines.lines, strict=True):
        assert share is not None
        assert share.shape == (layers, sizes[3])
        assert np.all(share[0] == 1)  # a layer without load
        assert share.max() <= limits[0][1]
        np.testing.assert_array_equal(line.get_ydata(), np.arange(layers))
        np.testing.assert_allclose(np.asarray(line.get_xdata(), np.float64), 1 / share.max(axis=1), rtol=1e-6)
    assert len(before.lines) == sizes[2] - 1  # between nodes


@pytest.mark.parametrize("experts", [1, 7, 8, 9, 20])
def test_contiguous_experts_are_spread_as_evenly_as_can_be(experts: int) -> None:
    load = np.random.default_rng(experts).integers(0, 1000, (3, experts)).astype(np.float64)
    expected = [[part.sum() for part in np.array_split(layer, 8)] for layer in load]
    np.testing.assert_array_equal(contiguous(load, 8), expected)


@pytest.mark.parametrize("largest", [1e-45, 1e-30, 3e38])
def test_comparison_depends_on_ratios_alone(largest: float) -> None:
    request = Request(8, 1, 1, 4, "greedy", Backend.numpy)
    load = np.array([[8.0, 4, 2, 1, 0, 0], [0] * 6, [3] * 6])
    made = make_plan(load, request).plan
    for measured, expected in zip(
        compare(load * (largest / 8), made, request), compare(load, made, request), strict=True
    ):
        np.testing.assert_allclose(measured.balancedness, expected.balancedness, rtol=1e-6)
        np.testing.assert_allclose(measured.gap, expected.gap, atol=1e-6)


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "-o", str(tmp_path / "plan.npz"), "--plot", str(tmp_path / "plan.png")]) == 0
    before, after = rows(capsys.readouterr().out)["balancedness, mean"]
    assert float(before) < 0.8
    assert 0.9 < float(after) <= 1
    assert (tmp_path / "plan.png").stat().st_size > 10_000
    with np.load(tmp_path / "plan.npz") as written:
        assert written["phy2log"].shape == (12, 72)
    load = demo_loads().load
    np.testing.assert_array_equal(load, demo_loads().load)
    assert np.unique(load.sum(axis=1)).size == 1  # every token is counted in every layer


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
    assert plan(path, "-o", output, "--plot", plot, **dict(zip(SIZES, sizes, strict=True))) == 0
    before, after = rows(capsys.readouterr().out)["balancedness, mean"]
    assert float(before) < float(after) <= 1
    assert plot.stat().st_size > 10_000
    with np.load(path) as recorded, np.load(output) as written:
        load = recorded["load"].astype(np.float64)
        expected = rebalance_experts(load.reshape(-1, *load.shape[-2:]).sum(axis=0), *sizes)
        np.testing.assert_array_equal(written["phy2log"], expected.phy2log)


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert {"plan", "demo"} <= set(capsys.readouterr().out.split())
    assert main(["plan", "--help"]) == 0
    text = capsys.readouterr().out
    assert {f"--{name.replace('_', '-')}" for name in SIZES} <= set(text.split())
    assert {"--policy", "--backend", "--output", "-o", "--plot"} <= set(text.split())
    assert "eplb-xp plan loads.npz --num-replicas 288" in text


def test_console_script_is_main() -> None:
    (script,) = entry_points(group="console_scripts", name="eplb-xp")
    assert script.load() is main


def test_module_runs_and_fails_without_a_traceback() -> None:
    command = [sys.executable, "-m", "eplb_xp.cli", "plan", "missing.npy", "--num-gpus=4", "--num-replicas=8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert done.stderr == "eplb-xp: missing.npy: can't be read: No such file or directory\n"


def test_importing_the_library_imports_nothing_of_the_command_line() -> None:
    heavy = "typer, rich, matplotlib, jax, torch"
    code = f"import sys, eplb_xp; print(sorted({{*'{heavy}'.split(', ')}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"
