"""Triton's kernel for shares on a GPU, launched on streams, in graphs and on devices."""

import numpy as np
import pytest
import torch

from eplb_xp import Shares, prepare_shares, share_tokens
from tests.support.cuda import CUDA, POISON, no_waiting
from tests.support.cuda_shares import SMALL, assert_equal, batch, on_gpu, shared, tokens
from tests.support.shares import Batch

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]
both_ways = pytest.mark.parametrize("is_prepared", [False, True], ids=["in one", "prepared"])


def with_loads(given: Batch, rng: np.random.Generator, dtype: str = "int32") -> Batch:
    """The same plans."""
    return given._replace(tokens=tokens(rng, len(given.tokens), SMALL[0], dtype))


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("tolerance", ["a number", "an array"])
def test_the_host_never_waits_for_shares_of_what_is_prepared(dtype: str, tolerance: str, poisoned: list[int]) -> None:
    rng = np.random.default_rng(0)
    given = batch(rng, 58, dtype=dtype)
    phy2log, weight = on_gpu(given)
    plan = (phy2log, phy2log, weight)
    within = 0.25 if tolerance == "a number" else torch.tensor(0.25, device="cuda")
    prepared = prepare_shares(plan, given.gpus)
    share_tokens(plan, weight, given.gpus, prepared=prepared, tolerance=within)
    before = len(poisoned)
    with no_waiting():
        made = share_tokens(plan, weight, given.gpus, prepared=prepared, tolerance=within)
    assert len(poisoned) > before, "the kernel did not run"
    assert_equal(made, given, tolerance=0.25)


@pytest.mark.parametrize("is_poisoned", [False, True])
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_replays_of_a_captured_graph(dtype: str, is_poisoned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With poison every replay begins from it; without, from what the replay before has left."""
    if not is_poisoned:
        monkeypatch.undo()
    rng = np.random.default_rng(1)
    given = batch(rng, 58, dtype=dtype)
    phy2log, weight = on_gpu(given)
    plan = (phy2log, phy2log, weight)
    prepared = prepare_shares(plan, given.gpus)

    def share() -> Shares[torch.Tensor]:
        return share_tokens(plan, weight, given.gpus, prepared=prepared)

    share()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = share()
    for _ in range(4):
        new = with_loads(given, rng, dtype)
        weight.copy_(CUDA.asarray(new.tokens))
        for x in made:
            x.fill_(POISON)
        graph.replay()
        assert_equal(made, new)


def test_other_plans_in_a_captured_graph() -> None:
    rng = np.random.default_rng(2)
    given = batch(rng, 58)
    phy2log, weight = on_gpu(given)
    plan = (phy2log, phy2log, weight)
    prepared = prepare_shares(plan, given.gpus)
    share_tokens(plan, weight, given.gpus, prepared=prepared)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = share_tokens(plan, weight, given.gpus, prepared=prepared)
    for _ in range(3):
        new = batch(rng, 58)
        others, tokens = on_gpu(new)
        for x, other in zip(prepared, prepare_shares((others, others, tokens), new.gpus), strict=True):
            x.copy_(other)
        weight.copy_(tokens)
        graph.replay()
        assert_equal(made, new)


@both_ways
def test_the_current_stream(is_prepared: bool) -> None:
    rng = np.random.default_rng(3)
    old = batch(rng, 58)
    new = with_loads(old, rng)
    phy2log, weight = on_gpu(old)
    loads = CUDA.asarray(new.tokens)
    plan = (phy2log, phy2log, weight)
    prepared = prepare_shares(plan, old.gpus) if is_prepared else None
    share_tokens(plan, weight, old.gpus, prepared=prepared)
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10**8)  # some 50 ms, in which shares on any other stream would be of the old loads
        weight.copy_(loads)
        made = share_tokens(plan, weight, old.gpus, prepared=prepared)
    stream.synchronize()
    assert_equal(made, new)


def test_shares_on_several_streams_at_once() -> None:
    rng = np.random.default_rng(4)
    batches = [batch(rng, 400) for _ in range(4)]
    arrays = [on_gpu(given) for given in batches]
    prepared = [prepare_shares((phy2log, phy2log, weight), SMALL[2]) for phy2log, weight in arrays]
    torch.cuda.synchronize()
    made = []
    for (phy2log, weight), its in zip(arrays, prepared, strict=True):
        with torch.cuda.stream(torch.cuda.Stream()):
            made.append(share_tokens((phy2log, phy2log, weight), weight, SMALL[2], prepared=its))
    torch.cuda.synchronize()
    for one, given in zip(made, batches, strict=True):
        assert_equal(one, given)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch finds no second CUDA device")
@both_ways
def test_a_device_that_is_not_the_current_one(is_prepared: bool) -> None:
    given = batch(np.random.default_rng(5), 58)
    with torch.cuda.device(0):
        for device in ("cuda:1", "cuda:0", "cuda:1"):
            phy2log, weight = (x.to(device) for x in on_gpu(given))
            made = shared(phy2log, weight, given.gpus, is_prepared=is_prepared)
            assert {x.device for x in made} == {weight.device}
            assert torch.cuda.current_device() == 0
            assert_equal(made, given)


@both_ways
def test_a_plan_that_is_elsewhere_is_torchs_error(is_prepared: bool, poisoned: list[int]) -> None:
    """And the kernel reads no addresses of the host."""
    given = batch(np.random.default_rng(6), 3)
    phy2log, weight = on_gpu(given)
    in_host_memory = phy2log.cpu()
    plan = (in_host_memory, in_host_memory, weight)
    prepared = prepare_shares((in_host_memory, in_host_memory, weight.cpu()), given.gpus) if is_prepared else None
    with pytest.raises(RuntimeError, match="device"):
        share_tokens(plan, weight, given.gpus, prepared=prepared)
    assert not poisoned
    assert_equal(shared(phy2log, weight, given.gpus), given)  # the GPU still works
