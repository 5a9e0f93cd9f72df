"""What ``eplb-xp convert`` refuses, and what is checked before planning."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import SIZES, plan, run
from tests.support.dumps import SAMPLES, write
from tests.support.maps import FORMATS, MADE

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
