"""What is known of Triton's kernel for shares before it runs: what it refuses, its code, the shapes of its results."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from eplb_xp import prepare_shares, share_tokens
from eplb_xp.backends.launching.sharing import launch
from eplb_xp.backends.takeover import Refusal
from tests.support.compiled_code import resources
from tests.support.share_kernels import compiled, expected, launch_of, prepared_of
from tests.support.shares import Batch, drawn_plans


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ((1, 1025, 1032, 8), "at most 1024 experts, got 1025"),
        ((1, 1024, 2056, 8), "at most 2048 replicas, got 2056"),
        ((1, 500, 513, 513), "at most 512 GPUs, got 513"),
        ((0, 8, 12, 4), "there are no layers"),
        ((2**16, 256, 288, 32), r"would need \d+\.\d GiB of memory, and takes at most 1 GiB"),
    ],
)
def test_what_is_too_large_is_refused(sizes: tuple[int, int, int, int], reason: str) -> None:
    how = launch(*sizes)
    assert isinstance(how, Refusal)
    assert re.search(reason, how.reason), how.reason


def test_the_largest_sizes_are_not_refused() -> None:
    for sizes in ((1, 1024, 2048, 512), (1, 1024, 2048, 1), (1, 1, 1, 1)):
        assert launch_of(*sizes).slots == sizes[2]


def test_what_lies_in_memory_does_not_overlap() -> None:
    for sizes in ((1, 1, 1), (5, 9, 1), (4, 6, 6), (8, 12, 4), (256, 288, 32), (1024, 2048, 512)):
        how = launch_of(1, *sizes)
        ends = {"tokens_at": how.experts, "rest_at": 0}
        of_rings = {"alone_at": how.gpus, "on_gpu_at": how.gpus, "sum_at": how.gpus + 1, "flow_at": 2 * how.gpus}
        others = {"share_at": 2 * (how.slots + 1), "turn_at": how.slots, "rank_at": how.gpus, "held_at": how.gpus}
        others |= {"last_at": how.linked, "meeting_at": how.rows * how.gpus}
        for parts in (of_rings, others):
            at = 0
            for name, words in (ends | parts).items():
                assert getattr(how, name) >= at, name
                at = getattr(how, name) + words
            assert how.words >= at


@pytest.mark.parametrize("sizes", [(256, 288, 32), (256, 384, 128)], ids=["288/32", "384/128"])
def test_the_kernel_compiles_for_a_gpu(
    sizes: tuple[int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    code = compiled(launch_of(1, *sizes))
    assert code["cubin"].startswith(b"\x7fELF")
    assert ".target sm_90" in code["ptx"]
    assert ".approx" not in code["ptx"]
    assert "div.full" not in code["ptx"]
    # All that it works on stays in registers.
    taken = resources(code["cubin"], "share")
    assert 32 <= taken["REG"] <= 255
    assert taken["STACK"] + taken["LOCAL"] <= 64


BATCH = Batch(drawn_plans(0, 2, (8, 12, 4)), np.random.default_rng(0).integers(0, 99, (2, 8)), 4)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.uint8])
def test_the_shapes_of_shares_are_known_beforehand(dtype: torch.dtype, device: str) -> None:
    with FakeTensorMode():
        weight = torch.empty(BATCH.tokens.shape, device=device, dtype=dtype)
        phy2log: Any = torch.empty(BATCH.phy2log.shape, device=device, dtype=torch.int64)
        plan = (phy2log, phy2log, weight)
        prepared = prepare_shares(plan, 4)
        known = share_tokens(plan, weight, 4), share_tokens(plan, weight, 4, prepared=prepared)
    want, in_torch = expected(BATCH), {"i": torch.int64, "f": torch.float32, "b": torch.bool}
    for made in known:
        for ours, theirs in zip(made, want, strict=True):
            kind = in_torch[theirs.dtype.kind]
            assert (ours.shape, ours.dtype, ours.device) == (theirs.shape, kind, weight.device)
    for ours, theirs in zip(prepared, prepared_of(BATCH), strict=True):
        assert (ours.shape, ours.dtype, ours.device) == (theirs.shape, torch.int64, weight.device)
