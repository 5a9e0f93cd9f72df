"""``eplb-xp convert``, and maps of engines in the other commands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from eplb_xp import loads
from eplb_xp.formats import placements
from tests.support.command_line import plan, run
from tests.support.dumps import OF_RANKS, PHY2LOG, SAMPLES, write
from tests.support.maps import FORMATS, MADE
from tests.support.recorded import npy, pt


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one JSON object that was printed."""
    out, err = capsys.readouterr()
    assert err == ""
    content: dict[str, Any] = json.loads(out)
    return content


@pytest.mark.parametrize("name", SAMPLES)
def test_loads_become_our_own(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = SAMPLES[name]
    path = write(sample.files, tmp_path / "dump")
    options = [f"--{option.replace('_', '-')}={value}" for option, value in sample.options.items()]
    assert run("convert", path, tmp_path / "loads.npz", *options, "--json") == 0
    steps, layers, experts = sample.expected.shape
    assert found(capsys) == {
        "output": str(tmp_path / "loads.npz"),
        "format": "loads",
        "num_steps": steps,
        "num_layers": layers,
        "num_experts": experts,
    }
    with np.load(tmp_path / "loads.npz") as made:
        expected = sample.expected.astype(np.min_scalar_type(int(sample.expected.max())))
        np.testing.assert_array_equal(made["load"], expected, strict=True)
        assert made["schema"] == 1


def test_what_a_trace_says_stays_and_else_its_file_is_named(tmp_path: Path) -> None:
    load = SAMPLES["vllm"].expected
    loads.save(tmp_path / "a.npz", load, model="m", layer_numbers=[3, 4, 7, 9], top_k=2)
    np.save(tmp_path / "a.npy", load)
    for name, said in (("a.npz", {"model": "m", "layer_numbers": [4, 7], "top_k": 2}), ("a.npy", {"source": "a.npy"})):
        assert run("convert", tmp_path / name, tmp_path / "b.npz", "--layers=1:3") == 0
        with np.load(tmp_path / "b.npz") as made:
            assert {field: made[field].tolist() for field in made if field != "load"} == {"schema": 1, **said}
            np.testing.assert_array_equal(made["load"], load[:, 1:3])


def test_steps_and_layers_are_chosen_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(SAMPLES["vllm"].files, tmp_path / "dump")
    assert run("convert", path, tmp_path / "a.npz", "--steps=1:", "--layers=1:", "--from=vllm") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'a.npz'} (loads): 2 steps, 3 layers, 6 experts\n"
    with np.load(tmp_path / "a.npz") as made:
        np.testing.assert_array_equal(made["load"], SAMPLES["vllm"].expected[1:, 1:])


@pytest.mark.parametrize("shape", [(), (4, 2)])
def test_counts_of_slots_are_folded_with_a_map(
    shape: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As vllm-ascend gathers them: [layers, ranks, slots of a rank], perhaps over time."""
    counts = OF_RANKS.sum(axis=0)
    counts = counts.reshape(*counts.shape[:2], *(shape or (8,)))
    (tmp_path / "moe_load.pth").write_bytes(npy(counts))
    np.save(tmp_path / "map.npy", PHY2LOG)
    arguments = (tmp_path / "moe_load.pth", tmp_path / "a.npz", "--slots", tmp_path / "map.npy")
    assert run("convert", *arguments) == 0
    with np.load(tmp_path / "a.npz") as made:
        np.testing.assert_array_equal(made["load"], SAMPLES["vllm"].expected)
    (tmp_path / "moe_load.pth").write_bytes(npy(counts[:, :3]))
    capsys.readouterr()
    assert run("convert", *arguments) == 2
    assert "counts of slots must be [steps, 4 layers, 8 slots], as the map" in capsys.readouterr().err


def test_floats_are_written_as_floats(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        '{"load_history": [{"logical_expert_load": [[1]]}, {"logical_expert_load": [[2.5]]}]}'
    )
    assert run("convert", tmp_path / "a.json", tmp_path / "a.npz") == 0
    with np.load(tmp_path / "a.npz") as made:
        np.testing.assert_array_equal(made["load"], np.array([[[1.0]], [[2.5]]], np.float32), strict=True)


@pytest.mark.parametrize(("name", "ending"), FORMATS)
def test_plans_are_written_for_engines_and_read_back(
    name: str, ending: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = file.with_name(f"made{ending}")
    assert plan(file, "-o", written, "--format", name) == 0
    np.testing.assert_array_equal(placements.read(written, name).phy2log, MADE)
    capsys.readouterr()
    assert run("evaluate", written, file, "--num-gpus=4", "--json") == 0
    assert found(capsys)["placements"][1]["replicas"] == 8
    assert plan(file, "--previous", written, "--max-moves=0", "--json") == 0
    assert found(capsys)["moved_slots"]["most"] == 0


@pytest.mark.parametrize(("name", "ending"), FORMATS)
def test_maps_become_those_of_other_engines(
    name: str, ending: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, made, back = (file.with_name(text) for text in ("plan.npz", f"made{ending}", "back.json"))
    assert plan(file, "-o", own) == 0
    assert run("convert", own, made, "--to", name) == 0
    capsys.readouterr()
    assert run("convert", made, back, "--to=vllm-ascend", "--num-gpus=4", "--json") == 0
    sizes = {"num_layers": 2, "num_replicas": 8, "num_experts": 6, "num_gpus": 4}
    assert found(capsys) == {"output": str(back), "format": "vllm-ascend", **sizes}
    np.testing.assert_array_equal(placements.read(back).phy2log, MADE)


def test_what_a_file_becomes_is_told_by_its_content(file: Path) -> None:
    own = file.with_name("plan.npz")
    assert plan(file, "-o", own) == 0
    for name, ending in FORMATS:
        made = file.with_name(f"made{ending}")
        assert run("convert", own, made, "--to", name) == 0
        output = file.with_name("out.npz")
        assert run("convert", made, output, *(["--from=vllm-list"] if name == "vllm-list" else [])) == 0
        with np.load(output) as content:
            # Arrays by themselves are loads.
            assert set(content) >= ({"load"} if name == "sglang-jax" else {"phy2log", "log2phy", "logcnt"})


def test_layers_have_the_numbers_of_the_model(file: Path) -> None:
    target = file.with_name("a.yaml")
    for options, expected in ([], [0, 1]), (["--layer-numbers=3:"], [3, 4]), (["--layer-numbers=5,3"], [5, 3]):
        assert plan(file, "-o", target, "--format=tensorrt-llm", *options) == 0
        assert [*yaml.safe_load(target.read_text())["initial_global_assignments"]] == expected
    assert plan(file, "--layers=1:", "-o", target, "--format=tensorrt-llm") == 0
    assert [*yaml.safe_load(target.read_text())["initial_global_assignments"]] == [1]


def test_a_map_with_a_models_numbers_is_for_the_layers_in_order(file: Path) -> None:
    target = file.with_name("a.yaml")
    assert plan(file, "-o", target, "--format=tensorrt-llm", "--layer-numbers=3:5") == 0
    assert run("evaluate", target, file, "--num-gpus=4") == 0
    assert run("convert", target, file.with_name("a.npz")) == 0
    assert run("evaluate", file.with_name("a.npz"), file, "--num-gpus=4") == 0


def test_a_map_with_a_models_numbers_is_for_these_of_more_layers(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = file.with_name("a.yaml")
    assert plan(file, "--layers=1:", "-o", target, "--format=tensorrt-llm") == 0
    capsys.readouterr()
    assert run("evaluate", target, file, "--num-gpus=4", "--layers=1:") == 0
    assert run("evaluate", target, file, "--num-gpus=4", "--layers=:1") == 2
    assert "the plan is for 1 of the 2 layers, and not for layer 0" in capsys.readouterr().err


def test_one_list_is_for_all_layers(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.with_name("a.json").write_text(json.dumps(MADE[0].tolist()))
    assert run("evaluate", file.with_name("a.json"), file, "--num-gpus=4", "--json") == 0
    assert len(found(capsys)["placements"][1]["balancedness"]["layers"]) == 2


def test_a_dump_of_sglang_says_the_map_in_use(tmp_path: Path) -> None:
    """The loads of a recorder's file are what it is for, its map what they were counted under."""
    path = write(SAMPLES["sglang-passes, of tokens"].files, tmp_path / "dump")
    assert run("convert", path, tmp_path / "map.json", "--to=sglang") == 0
    assert json.loads((tmp_path / "map.json").read_text())["physical_to_logical_map"] == PHY2LOG.tolist()


def test_a_tensor_by_itself_is_loads(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 # seconds

    (tmp_path / "a.pth").write_bytes(pt(torch.ones((1, 2, 8))))
    assert run("convert", tmp_path / "a.pth", tmp_path / "a.npz") == 0
