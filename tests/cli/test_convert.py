"""``eplb-xp convert``, and maps of engines in the other commands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from eplb_xp import loads, rebalance_experts
from eplb_xp.formats import placements
from tests.support.command_line import LOAD, SIZES, plan, run
from tests.support.dumps import OF_RANKS, PHY2LOG, SAMPLES, write
from tests.support.recorded import npy, pt

FORMATS = [(name, ending) for name, each in placements.FORMATS.items() for ending in each.endings]
MADE = rebalance_experts(LOAD, 8, 2, 2, 4).phy2log


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


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "no such target": (("loads.npz", "a.npz", "--to=best"), "--to must be one of loads, sglang, sglang-jax, vllm,"),
    "no such source": (("loads.npz", "a.npz", "--from=best", "--to=loads"), "--from must be one of sglang-passes,"),
    "source of the other kind": (
        ("loads.npz", "a.npz", "--from=vllm-list", "--to=loads"),
        "for --to loads, got 'vllm-",
    ),
    "another source": (("loads.npz", "a.npz", "--from=megatron"), "by its content it is no file of megatron: it would"),
    "ending of loads": (("loads.npz", "a.json"), "OUT must end in .npz, got a.json"),
    "ending of a map": (("plan.json", "a.json", "--to=tensorrt-llm"), "OUT must end in .yaml or .yml, got a.json"),
    "itself": (("loads.npz", "loads.npz"), "OUT loads.npz would overwrite what is read"),
    "no file": (("no.npz", "a.npz"), "no.npz: can't be read: No such file"),
    "no map": (("loads.npz", "a.json", "--to=sglang"), "loads.npz: a plan has an array phy2log"),
    "no loads": (("plan.json", "a.npz", "--to=loads"), "there must be 'load' or 'logical_count'"),
    "GPUs of loads": (("loads.npz", "a.npz", "--num-gpus=4"), "--num-gpus goes not with --to loads"),
    "steps of a map": (("plan.json", "a.npz", "--steps=1:"), "--steps goes not with --to eplb-xp"),
    "no GPUs": (("plan.json", "a.json", "--to=vllm-ascend"), "--num-gpus must say how many there are"),
    "numbers": (("plan.json", "a.json", "--to=sglang", "--layer-numbers=3:"), "--layer-numbers goes with tensorrt-llm"),
    "few numbers": (("plan.json", "a.yaml", "--to=tensorrt-llm", "--layer-numbers=3"), "must be 2 different numbers"),
    "no numbers": (("plan.json", "a.yaml", "--to=tensorrt-llm", "--layer-numbers=x"), "must be A:, A:B or numbers"),
    "layers that aren't said": (("loads.npz", "a.npz", "--num-layers=0"), "'--num-layers'"),
    "missing expert": (("bad.json", "a.npy", "--to=sglang-jax"), "has no slot for 1 of its 3 experts"),
    "no folder of maps": ((".", "a.json", "--to=sglang"), "can't be read: Is a directory"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_end_with_one_line(
    name: str, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent)
    Path("plan.json").write_text(json.dumps({"phy2log": MADE.tolist()}))
    Path("bad.json").write_text(json.dumps({"physical_to_logical_map": [[0, 2, 2]]}))
    before = file.read_bytes()
    arguments, fault = REFUSED[name]
    assert run("convert", *arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert fault in err
    assert file.read_bytes() == before
    assert not [path for path in Path().iterdir() if path.name.startswith("a.")]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--format=best",), "--format must be one of sglang, sglang-jax, vllm, vllm-list, tensorrt-llm, vllm-ascend"),
        (("--format=sglang", "-o", "a.npz"), "--output must end in .json or .pt, got a.npz"),
        (("--format=sglang",), "--format sglang goes with --output: say where to write it"),
        (("--layer-numbers=3:",), "--layer-numbers goes with tensorrt-llm, whose layers have the model's numbers"),
    ],
)
def test_formats_are_checked_before_planning(
    options: tuple[str, ...], fault: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(file, *options) == 2
    assert fault in capsys.readouterr().err


def test_a_plan_that_an_engine_would_not_take_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Greedy puts two replicas of an expert on a GPU."""
    np.savez(file, load=np.array([[90, 1, 1, 1, 1, 1]]))
    sizes = {**SIZES, "num_groups": 1, "num_nodes": 1, "num_gpus": 2, "policy": "greedy"}
    assert plan(file, "-o", file.with_name("a.json"), "--format=vllm-ascend", **sizes) == 2
    assert "vllm-ascend takes no map in which a GPU holds an expert twice" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(("name", "ending"), [("loads", ".npz"), *FORMATS])
# NumPy and zipfile leave an archive open, which then complains once more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_ends_with_one_line(
    name: str, ending: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = file if name == "loads" else file.with_name("plan.npz")
    if name != "loads":
        assert plan(file, "-o", source) == 0
        capsys.readouterr()
    target = tmp_path / f"full{ending}"
    target.symlink_to("/dev/full")
    assert run("convert", source, target, "--to", name) == 2
    assert capsys.readouterr().err == f"eplb-xp: {target} can't be written: No space left on device\n"


@pytest.mark.parametrize(("missing", "sample"), [("safetensors", "vllm-window"), ("yaml", None)])
def test_what_is_not_installed_is_named(
    missing: str,
    sample: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.yaml").write_text("num_slots: 1\n")
    path = tmp_path / "a.yaml" if sample is None else write(SAMPLES[sample].files, tmp_path / "dump")
    monkeypatch.setitem(__import__("sys").modules, missing, None)
    assert run("convert", path, tmp_path / "out.npz") == 2
    assert 'pip install "eplb-xp[cli]"' in capsys.readouterr().err


def test_a_dump_of_sglang_says_the_map_in_use(tmp_path: Path) -> None:
    """The loads of a recorder's file are what it is for, its map what they were counted under."""
    path = write(SAMPLES["sglang-passes, of tokens"].files, tmp_path / "dump")
    assert run("convert", path, tmp_path / "map.json", "--to=sglang") == 0
    assert json.loads((tmp_path / "map.json").read_text())["physical_to_logical_map"] == PHY2LOG.tolist()


def test_a_tensor_by_itself_is_loads(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 # seconds

    (tmp_path / "a.pth").write_bytes(pt(torch.ones((1, 2, 8))))
    assert run("convert", tmp_path / "a.pth", tmp_path / "a.npz") == 0
