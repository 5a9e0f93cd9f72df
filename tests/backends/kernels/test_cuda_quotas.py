"""The kernel of quotas on a GPU: from poisoned memory NumPy's, whatever the tokens, streams and programs."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch.func import vmap
from torch.profiler import ProfilerActivity, profile

from eplb_xp import Plan, Shares, quotas
from eplb_xp.algorithms.routing import quotas as steps
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.backends.tensors.operators import as_operator
from tests.support.cuda import no_waiting, shifted
from tests.support.quota_kernels import Given, as_dtype, drawn, expected

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]

# Experts, replicas and GPUs, and nodes.
SHAPES = {
    "288 / 32": ((256, 288, 32), 4),
    "384 / 128": ((256, 384, 128), 16),
    "no powers of two": ((10, 30, 15), 5),
    "a node for each GPU": ((60, 80, 8), 8),
    "few experts": ((6, 96, 12), 1),
}
LARGEST = {"largest": ((1024, 2048, 512), 64)}
LAYERS = {True: (1, 3, 58), False: (1, 3)}  # quotas of all ranks are many
DIVIDED = 2400  # layers with a rank, at least
KINDS: tuple[dict[str, Any], ...] = ({}, {"other_batch": True}, {"is_plan": False}, {"most": 10**9})
every_way = pytest.mark.parametrize("of_one", [True, False], ids=["of a rank", "of all"])


def on_gpu(given: Given) -> list[torch.Tensor]:
    """In the order in which `divided` takes them, the rank of the first layer for all."""
    rank, *others = given
    tensors = [torch.asarray(np.ascontiguousarray(x), device="cuda") for x in others]
    return tensors if rank is None else [*tensors, torch.asarray(rank[0, 0], device="cuda")]


def divided(nodes: int, *tensors: Any) -> torch.Tensor:
    """By shares, the maps of a plan and counts, and the rank if there is one."""
    share, phy2log, log2phy, logcnt, counts = tensors[:5]
    (rank,) = tensors[5:] or (None,)
    load = counts[:, :, 0]  # nobody reads more than how many they are
    shares: Any = Shares(share, load, *[load[:, 0]] * 5)
    return quotas(shares, Plan(phy2log, log2phy, logcnt), counts, num_nodes=nodes, rank=rank)


def made(rng: np.random.Generator, name: str, layers: int, of_one: bool = True, **options: Any) -> tuple[Given, int]:
    """A rank for all layers."""
    shape, nodes = (SHAPES | LARGEST)[name]
    given = drawn(rng, shape, layers, **options)
    rank = np.full((layers, 1), rng.integers(0, shape[2]))
    return given._replace(rank=rank if of_one else None), nodes


def assert_equal(found: torch.Tensor, given: Given, nodes: int) -> None:
    np.testing.assert_array_equal(found.numpy(force=True), expected(given, nodes), strict=True)


@every_way
@pytest.mark.parametrize("name", SHAPES)
def test_2400_random_layers(name: str, of_one: bool, poisoned: list[int]) -> None:
    """So many in all cases together."""
    rng = np.random.default_rng(len(name))
    number = 0
    for layers in LAYERS[of_one]:
        for options in KINDS:
            for dtype in (np.int64, np.int32):
                given, nodes = made(rng, name, layers, of_one, **options)
                given = as_dtype(given, dtype)
                before = len(poisoned)
                assert_equal(divided(nodes, *on_gpu(given)), given, nodes)
                assert len(poisoned) > before, "the kernel did not run"
                number += layers
    assert not of_one or number * len(SHAPES) >= DIVIDED


def test_the_largest_sizes(poisoned: list[int]) -> None:
    rng = np.random.default_rng(9)
    for options in KINDS:
        given, nodes = made(rng, "largest", 2, **options)
        assert_equal(divided(nodes, *on_gpu(given)), given, nodes)
    assert poisoned


def test_every_rank(poisoned: list[int]) -> None:
    given, nodes = made(np.random.default_rng(0), "288 / 32", 2)
    for rank in range(32):
        one = given._replace(rank=np.full((2, 1), rank))
        assert_equal(divided(nodes, *on_gpu(one)), one, nodes)
        *tensors, _ = on_gpu(one)
        load = tensors[-1][:, :, 0]
        shares: Any = Shares(tensors[0], load, *[load[:, 0]] * 5)
        assert_equal(quotas(shares, Plan(*tensors[1:4]), tensors[4], num_nodes=nodes, rank=rank), one, nodes)
    assert poisoned


@pytest.mark.parametrize("name", ["int8", "int16", "uint8", "uint16", "uint32", "uint64"])
def test_integers_of_any_width(name: str, poisoned: list[int]) -> None:
    given, nodes = made(np.random.default_rng(1), "few experts", 3, other_batch=True)
    given = as_dtype(given, name)
    rank, *arrays = given
    tensors = [torch.asarray(np.ascontiguousarray(x), device="cuda") for x in arrays]
    assert rank is not None
    (found,) = as_operator(steps.quotas_of_rank, torch.asarray(rank, device="cuda"), *tensors, num_nodes=nodes)
    assert_equal(found, given, nodes)
    assert poisoned


def test_any_strides_and_addresses(poisoned: list[int]) -> None:
    given, nodes = made(np.random.default_rng(2), "288 / 32", 3)
    tensors = on_gpu(given)
    elsewhere = [*map(shifted, tensors)]
    spread = [torch.stack([x, x + 1], dim=-1)[..., 0] for x in tensors]
    of_layers_last = [*tensors[:4], tensors[4].movedim(0, -1).contiguous().movedim(-1, 0), tensors[5]]
    for arrays in (elsewhere, spread, of_layers_last, [*tensors[:-1], elsewhere[-1]]):
        assert_equal(divided(nodes, *arrays), given, nodes)
    assert poisoned


@pytest.mark.parametrize("layers", [1, 58])
def test_one_launch_is_all(layers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # poison is a launch, too
    given, nodes = made(np.random.default_rng(3), "288 / 32", layers)
    tensors = on_gpu(given)
    divided(nodes, *tensors)
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiled:
        divided(nodes, *tensors)
        torch.cuda.synchronize()
    assert [event.name for event in profiled.events() or () if event.device_type.name == "CUDA"] == ["quotas"]


@every_way
@pytest.mark.parametrize("is_poisoned", [False, True])
def test_replays_of_a_captured_graph(of_one: bool, is_poisoned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With poison every replay begins from it; without, from what the replay before has left."""
    if not is_poisoned:
        monkeypatch.undo()
    rng = np.random.default_rng(4)
    given, nodes = made(rng, "288 / 32", 2, of_one)
    tensors = on_gpu(given)
    divided(nodes, *tensors)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        quota = divided(nodes, *tensors)
    for number in range(6):
        other, _ = made(rng, "288 / 32", 2, of_one, other_batch=number % 2 == 1)
        for x, new in zip(tensors, on_gpu(other), strict=True):
            x.copy_(new)
        quota.fill_(-9)
        graph.replay()
        assert_equal(quota, other, nodes)


def test_the_host_never_waits_and_the_stream_is_the_current_one() -> None:
    rng = np.random.default_rng(5)
    (given, nodes), (other, _) = (made(rng, "288 / 32", 2) for _ in range(2))
    tensors, new = on_gpu(given), on_gpu(other)
    divided(nodes, *tensors)
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream), no_waiting():
        torch.cuda._sleep(10**8)  # some 50 ms, in which a kernel on any other stream would take the old tokens
        for x, its_new in zip(tensors, new, strict=True):
            x.copy_(its_new)
        quota = divided(nodes, *tensors)
    stream.synchronize()
    assert_equal(quota, other, nodes)


@every_way
def test_compile_without_a_graph_break(of_one: bool, poisoned: list[int]) -> None:
    def layer(counts: torch.Tensor, *plan: torch.Tensor) -> torch.Tensor:
        return divided(4, *plan[:4], counts + 1, *plan[4:]) * 2

    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True)
    for seed in range(3):
        given, nodes = made(np.random.default_rng(seed), "288 / 32", 2, of_one)
        *plan, counts = on_gpu(given)[:5]
        rank = on_gpu(given)[5:]
        before = len(poisoned)
        quota = compiled(counts - 1, *plan, *rank)
        assert len(poisoned) > before, "the kernel did not run"
        np.testing.assert_array_equal(quota.numpy(force=True), expected(given, nodes) * 2)
        # A rank in host memory goes along.
        quota = compiled(counts - 1, *plan, *(x.cpu() for x in rank))
        np.testing.assert_array_equal(quota.numpy(force=True), expected(given, nodes) * 2)


def test_layers_and_ranks_as_a_batch(poisoned: list[int]) -> None:
    rng = np.random.default_rng(6)
    batch = [made(rng, "no powers of two", 2)[0] for _ in range(3)]
    nodes = SHAPES["no powers of two"][1]
    stacked = [torch.stack(parts) for parts in zip(*map(on_gpu, batch), strict=True)]
    for found, given in zip(vmap(lambda *its: divided(nodes, *its))(*stacked), batch, strict=True):
        assert_equal(found, given, nodes)
    *tensors, _ = on_gpu(batch[0])
    every = vmap(lambda rank: divided(nodes, *tensors, rank))(torch.arange(15, device="cuda"))
    for rank, found in enumerate(every):
        assert_equal(found, batch[0]._replace(rank=np.full((2, 1), rank)), nodes)
    assert poisoned


@every_way
def test_the_operator_is_what_torch_expects(of_one: bool) -> None:
    given, nodes = made(np.random.default_rng(7), "no powers of two", 2, of_one)
    rank, *arrays = given
    tensors = [torch.asarray(np.ascontiguousarray(x), device="cuda") for x in arrays]
    tensors = tensors if rank is None else [torch.asarray(rank, device="cuda"), *tensors]
    name = "quotas_of_rank" if of_one else "quotas"
    (found,) = as_operator(getattr(steps, name), *tensors, num_nodes=nodes)
    assert_equal(found, given, nodes)
    checks = torch.library.opcheck(getattr(torch.ops.eplb_xp, name).default, (*tensors, [nodes], [], []))
    assert set(checks.values()) == {"SUCCESS"}


def test_the_log_says_why_the_kernel_does_not_run(
    poisoned: list[int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (20, 516, 516)
    given = drawn(np.random.default_rng(8), shape)
    given = given._replace(rank=np.full((1, 1), 5))
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert_equal(divided(4, *on_gpu(given)), given, 4)
        assert "quotas_of_rank runs without its kernel: the kernel divides shares of at most 512 GPUs" in caplog.text
        monkeypatch.setenv(SWITCH, "0")
        small, nodes = made(np.random.default_rng(8), "few experts", 2)
        assert_equal(divided(nodes, *on_gpu(small)), small, nodes)
    assert not poisoned
