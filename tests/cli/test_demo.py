"""``eplb-xp demo``."""

import json
from pathlib import Path

import numpy as np
import pytest

from eplb_xp import POLICIES, loads
from eplb_xp.cli.layout import one_more_slot
from tests.support.command_line import rows, run


def test_every_policy_stands_beside_the_contiguous_experts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, plot = tmp_path / "loads.npz", tmp_path / "demo.png"
    assert run("demo", "--preset=gpt-oss-20b", "-o", output, "--plot", plot) == 0
    table, err = capsys.readouterr()
    assert err == ""
    found = {name: cells for name, cells in rows(table).items() if len(cells) == 7}
    assert list(found) == ["contiguous", *POLICIES]
    assert float(found["contiguous"][0]) < 0.8
    for name in POLICIES:
        planned, equal, best = map(float, found[name][:3])
        assert 0.95 < planned <= 1
        assert 0.5 < equal < best <= 1
        assert name == "greedy" or found[name][4] == "0"  # doubled
    assert float(found["ring"][2]) > float(found["joint"][2]) + 0.02  # what it is made for
    assert max(map(len, table.splitlines())) <= 80
    assert plot.stat().st_size > 10_000
    assert loads.read(output).shape == (56, 24, 32)


def test_loads_are_those_of_the_preset_and_the_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = "gpt-oss-20b"
    assert run("demo", "--preset", preset, "--seed", "3", "--json", "-o", tmp_path / "loads.npz") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["num_layers"], found["num_experts"]) == (loads.PRESETS[preset].layers, loads.PRESETS[preset].experts)
    assert (found["num_replicas"] - found["num_experts"]) == found["num_gpus"]
    assert [placed["name"] for placed in found["placements"]] == ["contiguous", *POLICIES]
    expected = loads.generate(preset, steps=56, seed=3)
    assert found["tokens"] == expected[:40].sum()
    assert found["placements"][-1]["later"]["planned_steps"] == 40
    np.testing.assert_array_equal(loads.read(tmp_path / "loads.npz"), expected)
    with np.load(tmp_path / "loads.npz") as made:
        said = {name: made[name].item() for name in made if name != "load"}
    model = "gpt-oss-20b, decode"
    assert said == {"schema": 1, "model": model, "source": "generated, gpt-oss-20b, seed 3", "top_k": 4}


@pytest.mark.parametrize("preset", loads.PRESETS.values(), ids=loads.PRESETS)
def test_every_preset_has_sizes(preset: loads.Preset) -> None:
    layout = one_more_slot(preset.experts)
    layout.check(preset.experts)
    assert preset.experts < layout.num_replicas <= preset.experts * 1.25
