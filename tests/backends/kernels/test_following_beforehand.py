"""What is known of kernels for plans that follow others before they run: what they refuse, their code, the results."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from eplb_xp import POLICIES, rebalance_experts
from eplb_xp.algorithms.following.turns import NARROW, WIDE
from eplb_xp.backends.kernels.following.path import walk
from eplb_xp.backends.launching.following import Launch, launch
from eplb_xp.backends.takeover import Refusal
from eplb_xp.sizes import Sizes
from tests.support.follow_kernels import Shape, compiled, launch_of

Arguments = tuple[tuple[int, ...], Sizes, int]  # the loads' shape, and what a far move counts


def sizes(replicas: int, gpus: int, groups: int = 1, nodes: int = 1) -> Sizes:
    return Sizes(replicas, groups, nodes, gpus)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (((1, 1, 1025), sizes(1040, 65), 1), "at most 1024 experts, got 1025"),
        (((1, 1, 1024), sizes(2176, 128), 1), "at most 2048 replicas, got 2176"),
        (((1, 1, 256), sizes(387, 129), 1), "at most 128 GPUs, got 129"),
        (((1, 1, 64), sizes(64, 2), 1), "at most 31 slots a GPU, got 32"),
        (((1, 1, 256), sizes(512, 32, 256, 32), 1), "at most 4096 groups times nodes, got 8192"),
        (((1, 3, 8), sizes(12, 4), 1), "loads of one sample, got 3"),
        (((1, 1, 8), sizes(12, 4), 5), "all moves count the same, got far_cost=5"),
        (((0, 1, 8), sizes(12, 4), 1), "there are no layers"),
        (((2**13, 1, 256), sizes(288, 32), 1), r"would need \d+\.\d GiB of memory, and take at most 1 GiB"),
    ],
)
def test_what_is_too_large_is_refused(given: Arguments, reason: str) -> None:
    shape, its_sizes, far_cost = given
    how = launch(shape, its_sizes, POLICIES["joint"], far_cost)
    assert isinstance(how, Refusal)
    assert re.search(reason, how.reason), how.reason


def test_the_largest_sizes_are_not_refused() -> None:
    for shape in (Shape(1024, 2048, 128), Shape(1, 1, 1), Shape(60, 62, 2), Shape(256, 512, 128, 32, 32)):
        assert launch_of(58, shape).sizes.slots == shape.replicas


def test_what_lies_in_memory_does_not_overlap() -> None:
    for shape in (Shape(1, 1, 1), Shape(5, 9, 1), Shape(4, 6, 6), Shape(8, 12, 4, 4, 2), Shape(256, 384, 128)):
        its = launch_of(1, shape).sizes
        slots, experts, gpus = its.slots, its.experts, its.gpus
        masks = -(-gpus // 32) * experts
        placing = {"tag_at": slots, "held_at": slots, "count_at": experts, "share_at": experts, "less_at": experts}
        placing |= {"more_at": experts, "mask_at": masks, "spare_at": its.spares, "list_at": its.listed}
        of_path = {"best_at": slots, "high_at": 1, "excess_at": max(gpus, 32), "code_at": slots}
        of_path |= {"relief_at": its.capacity, "our_less_at": its.capacity, "paid_at": experts}
        of_path |= {"todo_at": its.spares, "earlier_at": gpus}
        of_layer = {"load_at": experts, "lowest_at": 1, "total_at": 1, "first_at": 1, "left_at": 1}
        of_layer |= {"before_at": slots, "was_at": masks, "node_at": experts, "group_at": its.groups}
        of_layer |= {"pair_at": its.groups * its.nodes, "gpu_load_at": gpus, "begun_at": its.placing_words}
        of_plan = {"tag_at": slots, "held_at": slots, "count_at": experts, "want_at": slots}
        blocks = ((placing, its.placing_words), (placing | of_path, its.path_words), (of_layer, its.layer_words))
        for parts, words in (*blocks, (of_plan, its.plan_words)):
            at = 0
            for name, number in parts.items():
                assert getattr(its, name) >= at, name
                at = getattr(its, name) + number
            assert words >= at


def test_paths_are_those_of_the_once_written_code() -> None:
    how = launch_of(5, Shape(8, 12, 4))
    for its, aims, first in ((how.sizes, WIDE, 0), (how.of_narrow, NARROW, len(WIDE))):
        assert (its.paths, its.first_path) == (len(aims), first)
        assert tuple(zip(its.one_part, its.other_part, strict=True)) == aims
    assert how.programs == (5, 30, 40, 5)
    assert max(len(WIDE), len(NARROW)) <= 8, "more than `turns.lowest_of` reads"


@pytest.mark.parametrize(
    ("how", "kernels"),
    [
        (launch_of(1, Shape(256, 384, 128)), [walk]),
        (launch_of(1, Shape(12, 16, 8, 4, 2, 3)), None),
    ],
    ids=["384/128", "everything"],
)
def test_the_kernels_compile_for_a_gpu(
    how: Launch, kernels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for name, code in compiled(how, *([kernels] if kernels else [])).items():
        assert code["cubin"].startswith(b"\x7fELF"), name
        assert ".target sm_90" in code["ptx"]
        # Rounded as the once-written code rounds.
        for approximate in (".approx", "div.full", "fma.rn.f32"):
            assert approximate not in code["ptx"], name


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("most", [None, 3])
def test_the_shapes_of_a_plan_are_known_beforehand(most: int | None, device: str) -> None:
    with FakeTensorMode():
        weight = torch.empty((3, 8), device=device)
        previous = torch.empty((3, 12), device=device, dtype=torch.int32)
        made = rebalance_experts(weight, 12, 1, 1, 4, previous=previous, max_moves=2, max_replicas=most)
    assert [tuple(x.shape) for x in made] == [(3, 12), (3, 8, most or 5), (3, 8)]
    assert {x.dtype for x in made} == {torch.int64}
    assert {x.device for x in made} == {weight.device}


def test_few_spares_take_one_warp() -> None:
    for shape, warps in (((256, 288, 32), 1), ((256, 288, 72), 1), ((256, 320, 64), 4), ((256, 384, 128), 4)):
        assert launch_of(1, Shape(*shape)).sizes.warps == warps
    assert launch_of(1, Shape(1024, 1040, 65)).sizes.warps == 4
    assert replace(launch_of(1, Shape(256, 288, 32)).sizes, block=16).warps == 4
