"""The pictures: what is drawn, not how it looks."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eplb_xp.cli.comparison import Comparison, compare, measure
from eplb_xp.cli.files import Loads, summed
from eplb_xp.cli.judging import Judged
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.output import pictures, scale, sweep_picture
from eplb_xp.cli.planning import Planner
from eplb_xp.cli.sweeping import Sweep
from tests.support.command_line import plan
from tests.support.libraries import NumPyArray


def some_loads(layers: int, steps: int = 1) -> Loads:
    """Loads of 64 experts, none in the first layer, and idle GPUs in the last one."""
    load = np.random.default_rng(0).lognormal(0, 1, (steps, layers, 64)).round(3)
    load[:, 0] = 0
    load[:, -1, :16] = 0
    return summed(load, "title")


def compared(loads: Loads, layout: Layout, policies: tuple[str, ...] = ("greedy",)) -> Comparison:
    """A comparison of the plans of these policies."""
    return compare(loads, layout, [Planner(policy).plan(loads.load, layout) for policy in policies])


def drawn(figure: Figure) -> list[Axes]:
    """The axes of a figure that could be drawn: a layout that doesn't fit is a warning, which is an error here."""
    figure.draw_without_rendering()
    return figure.axes


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_plot_is_drawn_in_every_format(ending: str, start: bytes, file: Path, tmp_path: Path) -> None:
    assert plan(file, "--plot", tmp_path / f"plan.{ending}") == 0
    assert (tmp_path / f"plan.{ending}").read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("layers", "layout", "policies"),
    [
        (1, Layout(72, 1, 1, 8), ("greedy",)),
        (24, Layout(80, 2, 2, 16), ("greedy", "swap")),
        (58, Layout(128, 1, 1, 128), ("greedy",)),
        (94, Layout(66, 1, 1, 2), ("greedy", "swap", "greedy", "swap")),
        (3, Layout(64, 1, 1, 1), ("greedy",)),
        (3, Layout(72, 1, 1, 8), ("greedy",) * 7),
    ],
)
def test_all_placements_are_on_one_scale(layers: int, layout: Layout, policies: tuple[str, ...]) -> None:
    comparison = compared(some_loads(layers), layout, policies)
    axes = drawn(pictures.comparison(comparison))
    maps, lines = axes[: len(policies) + 1], axes[len(policies) + 1]
    assert [each.get_title().split("\n")[0] for each in maps] == ["contiguous", *policies]
    limits = {each.images[0].get_clim() for each in maps}
    assert len(limits) == 1
    least, most = limits.pop()
    assert least * most == pytest.approx(1)  # an even share is the middle of the scale
    for each, line, placed in zip(maps, lines.lines, comparison.placements, strict=True):
        share = each.images[0].get_array()
        assert share is not None
        assert share.shape == (layers, layout.num_gpus)
        assert np.all(share[0] == 1)  # a layer without load
        assert least <= share.min()  # an idle GPU is drawn at the end of the scale
        assert share.max() <= most
        np.testing.assert_allclose(share.max(axis=1), 1 / placed.balancedness, rtol=1e-6)
        np.testing.assert_array_equal(line.get_ydata(), np.arange(layers))
        np.testing.assert_allclose(
            np.asarray(line.get_xdata(), np.float64), np.maximum(1 - placed.balancedness, 1e-5), rtol=1e-3
        )
        assert len(each.lines) == layout.num_nodes - 1  # between nodes
    colours = {str(line.get_color()) for line in lines.lines}
    markers = {line.get_marker() for line in lines.lines}
    assert len(colours) == len(markers) == min(len(policies) + 1, 6)


def test_a_plan_over_time_has_a_line_more() -> None:
    loads = some_loads(4, steps=7)
    comparison = compared(loads, Layout(72, 1, 1, 8))
    over_time = np.random.default_rng(0).uniform(0.5, 1, (7, 4))
    time = drawn(pictures.judged(Judged(comparison, None, over_time, over_time)))[-1]
    mean, least = over_time[:, 1:].mean(axis=1), over_time[:, 1:].min()  # the first layer has no load
    np.testing.assert_allclose(np.asarray(time.lines[0].get_ydata(), np.float64), 1 - mean, rtol=1e-6)
    (shade,) = time.collections[0].get_paths()
    assert np.asarray(shade.vertices)[:, 1].max() == pytest.approx(1 - least)
    one_step = pictures.judged(Judged(comparison, None, over_time[:1], over_time[:1]))
    assert len(drawn(one_step)) == len(drawn(pictures.comparison(comparison)))


def test_the_prediction_has_a_line() -> None:
    comparison = compared(some_loads(4), Layout(72, 1, 1, 8))
    predicted = np.array([0.5, 0.9, 0.99, 0.999])
    *_, lines, _ = drawn(pictures.judged(Judged(comparison, predicted, np.ones((1, 4)), np.ones((1, 4)))))
    assert [line.get_label() for line in lines.lines] == ["contiguous", "greedy", "predicted"]
    np.testing.assert_allclose(np.asarray(lines.lines[2].get_xdata(), np.float64), 1 - predicted)


def test_a_sweep_has_a_line_for_each_number_of_gpus() -> None:
    loads = some_loads(3)
    layouts = [Layout(replicas, 1, 1, gpus) for gpus in (8, 32) for replicas in (64, 96, 128)]
    results = tuple((each, measure(Planner("swap").plan(loads.load, each), loads.load, each)) for each in layouts)
    sweep = Sweep(loads, "swap", results, ())
    assert [sweep.worth(gpus) for gpus in (8, 32)] == [64, 96]
    (axes,) = drawn(sweep_picture.swept(sweep))
    for gpus, line, ring in zip((8, 32), axes.lines[::2], axes.lines[1::2], strict=True):
        mean = np.array([measured.balancedness[1:].mean() for measured in sweep.on(gpus).values()])
        assert line.get_label() == f"{gpus} GPUs"
        np.testing.assert_array_equal(line.get_xdata(), [64, 96, 128])
        np.testing.assert_allclose(np.asarray(line.get_ydata(), np.float64), np.maximum(1 - mean, 1e-5), rtol=1e-3)
        (around,) = np.asarray(ring.get_xydata(), np.float64).tolist()
        assert around[0] == sweep.worth(gpus)
        assert around in np.asarray(line.get_xydata(), np.float64).tolist()


@pytest.mark.parametrize(
    ("balancedness", "names"),
    [
        ([0.3, 0.7], ["0.9", "0.8", "0.5", "0"]),
        ([0.3, 0.97], ["0.99", "0.98", "0.95", "0.9", "0.8", "0.5", "0"]),
        ([0.3, 0.999, 0.9998], ["0.9999", "0.999", "0.99", "0.9", "0.5"]),
        ([0.95, 1], ["1", "0.9999", "0.999", "0.99", "0.9"]),
        ([1, 1], ["1", "0.99998", "0.99995", "0.9999"]),
        ([0, 0], ["0.9", "0.8", "0.5", "0"]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_axis_of_balancedness_names_what_is_there(balancedness: list[float], names: list[str], dtype: type) -> None:
    shown: NumPyArray = scale.missing(np.array(balancedness, dtype))
    for which in ("x", "y"):
        axes = Figure().subplots()
        scale.balance_axis(axes, which, "balancedness", shown)
        axis = axes.xaxis if which == "x" else axes.yaxis
        assert [tick.get_text() for tick in axis.get_ticklabels()] == names
        left, right = axes.get_xlim() if which == "x" else axes.get_ylim()
        assert left > shown.max()
        assert right < shown.min()
