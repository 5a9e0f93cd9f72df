"""What the command line refuses: one line that says why, exit code 2, and nothing written."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from eplb_xp import POLICIES
from tests.support.command_line import plan, run


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a refusal; nothing else was printed."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("eplb-xp: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "replicas don't divide": ({"num_replicas": 9}, "--num-replicas must be a multiple of --num-gpus: 9 is not"),
    "too few replicas": (
        {"num_replicas": 4},
        "--num-replicas must be at least the number of experts and at most 4093 more: 4 for 6 experts is not",
    ),
    "nodes don't divide": ({"num_gpus": 3, "num_replicas": 6}, "--num-gpus must be a multiple of --num-nodes"),
    "groups don't divide": ({"num_groups": 4}, "--num-groups must divide the number of experts: 4 does not divide 6"),
    "no GPUs": ({"num_gpus": 0}, "--num-gpus must be at least 1, got 0"),
    "negative": ({"num_nodes": -2}, "--num-nodes must be at least 1, got -2"),
    "no number": ({"num_gpus": "many"}, "'--num-gpus'"),
    "policy": ({"policy": "best"}, f"policy 'best' is not known; the names are {', '.join(map(repr, POLICIES))}"),
    "backend": ({"backend": "cupy"}, "'cupy' is not one of 'numpy', 'jax', 'torch'"),
    "steps, one number": ({"steps": "3"}, "--steps must be A:B as in Python, such as 100:200, :50 or -10:, got '3'"),
    "steps, text": ({"steps": "a:b"}, "--steps must be A:B as in Python"),
    "steps, four parts": ({"steps": "1:2:3:4"}, "--steps must be A:B as in Python"),
    "steps, stride of zero": ({"steps": "::0"}, "--steps must be A:B as in Python"),
    "layers, one number": (
        {"layers": "3"},
        "--layers must be A:B as in Python, such as 3:, 1:27 or -10:, and ascend, got",
    ),
    "layers, backwards": ({"layers": "::-1"}, "--layers must be A:B as in Python"),
    "layers, none there": ({"layers": "5:"}, "there are 2 layers, and none of them is in 5:"),
    "steps, none there": ({"steps": "5:"}, "there is 1 step, and none of them is in 5:"),
    "greedy has no cap": ({"policy": "greedy", "max_replicas": 3}, "--max-replicas"),
    "cap too low": ({"policy": "swap", "max_replicas": 0}, "--max-replicas must be "),
    "no such option": ({"num_gpu": 4}, "No such option"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_bad_options_end_with_one_line(name: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes, fault = OPTIONS[name]
    assert plan(file, **sizes) == 2
    assert fault in refused(capsys)


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        ([], "Missing command"),
        (["best"], "No such command 'best'"),
        (["plan"], "Missing argument 'FILE'"),
        (["sweep"], "Missing argument 'FILE'"),
        (["evaluate"], "Missing argument 'PLAN'"),
        (["evaluate", "plan.npz"], "Missing argument 'FILE'"),
        (["evaluate", "no.npz", "loads.npz"], "no.npz: can't be read: No such file"),
        (["sweep", "no.npz"], "no.npz: can't be read: No such file"),
        (["demo", "--preset", "gpt-9"], "gpt-9"),
        (["demo", "--seed", "-1"], "'--seed'"),
        (["demo", "-o", "loads.npy"], "--output must end in .npz, got loads.npy"),
        (["demo", "--plot", "nowhere/demo.png"], "there is no folder nowhere"),
        (["plan", "loads.npz", "--num-gpus=4"], "Missing option '--num-replicas'"),
        (["plan", "loads.npz", "--num-gpus"], "--num-gpus"),
        (["plan", "no\nsuch.npz", "--num-gpus=4", "--num-replicas=8"], "no such.npz: can't be read: No such file"),
    ],
)
def test_bad_arguments_end_with_one_line(args: list[str], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*args) == 2
    assert fault in refused(capsys)


@pytest.mark.parametrize(
    ("option", "target", "fault"),
    [
        ("-o", "plan.npy", "--output must end in .npz or .json, got"),
        ("-o", "plan", "--output must end in .npz or .json, got"),
        ("--plot", "plan.jpg", "--plot must end in .png or .pdf or .svg, got"),
        ("-o", "nowhere/plan.npz", "there is no folder"),
        ("-o", "loads.npz/plan.npz", "there is no folder"),
        ("--plot", "nowhere/plan.png", "there is no folder"),
        ("-o", "folder.npz", "can't be written"),
        ("-o", f"{'long' * 100}.npz", "can't be written: File name too long"),
        ("-o", "loads.npz", "would overwrite what is read"),
        ("--plot", "link.png", "would overwrite what is read"),
    ],
)
def test_bad_targets_are_refused_before_planning(
    option: str, target: str, fault: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file.parent / "folder.npz").mkdir()
    (file.parent / "link.png").symlink_to(file)
    content = file.read_bytes()
    assert plan(file, option, file.parent / target) == 2
    assert fault in refused(capsys)
    assert file.read_bytes() == content


@pytest.mark.parametrize(("option", "target"), [("-o", "plan.npz"), ("--plot", "plan.png")])
def test_no_permission_is_refused_before_planning(
    option: str, target: str, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)  # root may write anywhere
    assert plan(file, option, file.parent / target) == 2
    assert f"{target} can't be written" in refused(capsys)


# NumPy 2.1 leaves the archive open, which then complains once more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(("option", "target"), [("-o", "plan.npz"), ("-o", "plan.json"), ("--plot", "plan.png")])
def test_full_disk_ends_with_one_line(
    option: str, target: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / target).symlink_to("/dev/full")
    assert plan(file, option, tmp_path / target) == 2
    err = capsys.readouterr().err
    assert err == f"eplb-xp: {tmp_path / target} can't be written: No space left on device\n"


@pytest.mark.parametrize("missing", ["jax", "torch"])
def test_missing_library_names_its_extra(
    missing: str, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"{missing}.numpy", raising=False)
    assert plan(file, backend=missing) == 2
    assert f'pip install "eplb-xp[{missing}]"' in refused(capsys)


@pytest.mark.parametrize("missing", ["matplotlib", "rich", "typer"])
def test_missing_extra_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert run("demo") == 2
    assert refused(capsys) == f'eplb-xp: {missing} not installed: pip install "eplb-xp[cli]"\n'
