"""What is known of Triton's kernels before they run: what they refuse, their code, the shapes of their plans."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from eplb_xp import Policy
from eplb_xp.algorithms import pipeline
from eplb_xp.backends.launching.launch import launch
from eplb_xp.backends.takeover import Refusal
from eplb_xp.backends.tensors.operators import as_operator
from eplb_xp.policy import as_policy
from eplb_xp.sizes import check_sizes
from tests.support.compiled_code import instructions
from tests.support.kernels import JOINT, RING, SWAP, Sizes, compiled, every_policy, launch_of
from tests.support.libraries import NUMPY
from tests.support.loads import batch
from tests.support.plans import plan


@pytest.mark.parametrize(
    ("layers", "experts", "sizes", "policy", "reason"),
    [
        (1, 1025, (1032, 1, 1, 8), "joint", "at most 1024 experts, got 1025"),
        (1, 1024, (2056, 1, 1, 8), "joint", "at most 2048 replicas, got 2056"),
        (1, 1000, (1025, 1, 1, 1025), "joint", "at most 1024 GPUs, got 1025"),
        (0, 8, (12, 1, 1, 4), "greedy", "no layers"),
        (2**16, 256, (288, 1, 1, 32), "joint", r"need \d+\.\d GiB of memory, and take at most 1 GiB"),
    ],
)
def test_what_is_too_large_is_refused(layers: int, experts: int, sizes: Sizes, policy: str, reason: str) -> None:
    how = launch(layers, experts, check_sizes(experts, *sizes), as_policy(policy))
    assert isinstance(how, Refusal)
    assert re.search(reason, how.reason), how.reason


@every_policy
def test_the_largest_sizes_are_not_refused(policy: Policy) -> None:
    assert launch_of(1, 1024, (2048, 1, 1, 1024), policy).shape.slots == 2048


ALL = ["prepare", "improve", "choose"]


@pytest.mark.parametrize(
    ("shape", "policy", "kernels"),
    [
        ((8, (12, 4, 2, 4)), JOINT, ["prepare", "choose"]),
        ((30, (34, 1, 1, 2)), replace(JOINT, generations=1, refined=1), ALL),
        ((8, (30, 4, 2, 10)), RING, ALL),
    ],
    ids=["joint", "joint, wide tables", "ring of three turns"],
)
def test_the_kernels_compile_for_a_gpu(
    shape: tuple[int, Sizes], policy: Policy, kernels: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    how = launch_of(1, *shape, policy)
    made = compiled(how)
    assert list(made) == kernels
    for name, code in made.items():
        assert code["cubin"].startswith(b"\x7fELF")
        assert ".target sm_90" in code["ptx"]
        assert ".approx" not in code["ptx"]
        # A guess is all that may be divided by anything else than div.rn.
        assert "div.full" not in code["ptx"] or name == "prepare"
        assert (".maxnreg" in code["ptx"]) == (how.shape.registers is not None)


@pytest.mark.parametrize(
    ("layers", "sizes", "policy", "registers"),
    [
        (58, (320, 1, 1, 64), "joint", 255),
        (58, (384, 1, 1, 128), "joint", 255),
        (250, (320, 1, 1, 64), "joint", None),  # has more candidates than room
        (58, (288, 1, 1, 32), "joint", None),
        (58, (512, 1, 1, 256), "joint", None),
        (58, (320, 1, 1, 64), "multistart", None),
    ],
)
def test_candidates_that_take_long_have_all_registers(
    layers: int, sizes: Sizes, policy: str, registers: int | None
) -> None:
    assert launch_of(layers, 256, sizes, policy).shape.registers == registers


def test_threads_stay_together_where_candidates_are_improved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what they all reduce has a second form, for those that are apart: there were 36."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    code = instructions(compiled(launch_of(1, 12, (24, 1, 1, 4), JOINT))["choose"]["cubin"])
    assert code.count("REDUX") > 50
    assert code.count("BRA.DIV") <= 5


@pytest.mark.parametrize("max_replicas", [None, 20])
def test_the_shapes_of_a_plan_are_known_beforehand(max_replicas: int | None) -> None:
    weight, sizes = batch("lognormal", 0, 2, 8), (12, 4, 2, 4)
    expected = plan(NUMPY, weight, sizes, policy=SWAP, max_replicas=max_replicas)
    with FakeTensorMode():
        load = torch.empty(weight.shape, device="cuda:0")
        capped = replace(check_sizes(8, *sizes), max_replicas=max_replicas)
        known = as_operator(pipeline.plan, load, sizes=capped, policy=SWAP)
    for ours, theirs in zip(known, expected, strict=True):
        assert (ours.shape, ours.dtype, ours.device) == (theirs.shape, torch.int64, load.device)
