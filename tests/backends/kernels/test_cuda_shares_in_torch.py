"""Triton's kernel for shares on a GPU as PyTorch has it: gradients, compiled programs, vmap, switched off, refused."""

import logging
from unittest import mock

import numpy as np
import pytest
import torch
from torch.func import vmap

from eplb_xp import Prepared, Shares, prepare_shares, share_tokens
from eplb_xp.algorithms.sharing import shares as sharing
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.backends.tensors.operators import as_operator
from tests.support.cuda import CUDA
from tests.support.cuda_shares import SMALL, assert_equal, batch, on_gpu, shared
from tests.support.shares import assert_equal as close

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]
both_ways = pytest.mark.parametrize("is_prepared", [False, True], ids=["in one", "prepared"])


@both_ways
def test_no_gradient_flows_through(is_prepared: bool, poisoned: list[int]) -> None:
    given = batch(np.random.default_rng(7), 6, dtype="float32")
    phy2log, weight = on_gpu(given)
    weight.requires_grad_()
    made = shared(phy2log, weight, given.gpus, is_prepared=is_prepared)
    assert poisoned
    assert not any(x.requires_grad for x in made)
    assert_equal(made, given)
    (weight * made.gap[:, None]).sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, made.gap[:, None].expand(weight.shape))
    with torch.inference_mode():
        assert_equal(shared(phy2log, weight * 1, given.gpus, is_prepared=is_prepared), given)


@both_ways
def test_compile_without_a_graph_break(is_prepared: bool, poisoned: list[int]) -> None:
    def step(
        phy2log: torch.Tensor, weight: torch.Tensor, prepared: Prepared[torch.Tensor] | None
    ) -> tuple[Shares[torch.Tensor], torch.Tensor]:
        weight = weight / 2
        made = share_tokens((phy2log, phy2log, weight), weight, SMALL[2], prepared=prepared)
        return made, made.share.unflatten(-1, (SMALL[2], -1)).sum(dim=-1)

    torch.compiler.reset()
    compiled = torch.compile(step, fullgraph=True)
    rng = np.random.default_rng(8)
    # With another number of layers torch compiles once more, for any number.
    for layers in (6, 6, 9, 13, 58):
        given = batch(rng, layers, dtype="float32")
        phy2log, weight = on_gpu(given)
        prepared = prepare_shares((phy2log, phy2log, weight), SMALL[2]) if is_prepared else None
        before = len(poisoned)
        made, gpu_load = compiled(phy2log, weight, prepared)
        assert len(poisoned) > before, "the kernel did not run"
        assert_equal(made, given._replace(tokens=given.tokens / np.float32(2)))
        assert torch.equal(gpu_load, made.gpu_load)


@both_ways
@pytest.mark.parametrize("in_dims", [(0, 0), (None, 0), (0, None), (1, -1)], ids=str)
def test_vmap(in_dims: tuple[int | None, int | None], is_prepared: bool, poisoned: list[int]) -> None:
    rng = np.random.default_rng(9)
    batches = [batch(rng, 6) for _ in range(3)]
    if in_dims[0] is None:
        batches = [x._replace(phy2log=batches[0].phy2log) for x in batches]
    if in_dims[1] is None:
        batches = [x._replace(tokens=batches[0].tokens) for x in batches]
    arrays = [
        CUDA.asarray(parts[0] if axis is None else np.moveaxis(np.stack(parts), 0, axis))
        for parts, axis in zip(([x.phy2log for x in batches], [x.tokens for x in batches]), in_dims, strict=True)
    ]

    def of_one(phy2log: torch.Tensor, weight: torch.Tensor) -> Shares[torch.Tensor]:
        return shared(phy2log, weight, SMALL[2], is_prepared=is_prepared)

    made = vmap(of_one, in_dims=in_dims)(*arrays)
    assert poisoned
    for i, given in enumerate(batches):
        assert_equal(Shares(*(x[i] for x in made)), given)


@both_ways
def test_the_operator_is_what_torch_expects(is_prepared: bool) -> None:
    given = batch(np.random.default_rng(10), 6, dtype="float32")
    phy2log, weight = on_gpu(given)
    tolerance = torch.full((6, 1), 2.0**-10, device="cuda")
    parts = prepare_shares((phy2log, phy2log, weight), given.gpus) if is_prepared else (phy2log,)
    step = sharing.share if is_prepared else sharing.share_of_plan
    operator = getattr(torch.ops.eplb_xp, step.__name__).default
    with mock.patch.object(torch.ops.eplb_xp, step.__name__, wraps=operator) as called:
        as_operator(step, *parts, tolerance, weight, num_gpus=given.gpus, rounds=64)
    numbers = called.call_args.args[-3:]
    checks = torch.library.opcheck(operator, (*parts, tolerance, weight, *numbers))
    assert set(checks.values()) == {"SUCCESS"}


@both_ways
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32", "bfloat16"])
def test_the_same_shares_without_kernels(
    dtype: str,
    is_prepared: bool,
    poisoned: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    given = batch(np.random.default_rng(11), 6, dtype=dtype)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        made = shared(*on_gpu(given), given.gpus, is_prepared=is_prepared)
    assert not [message for message in caplog.messages if message.startswith("share")]
    before = len(poisoned)
    assert before
    monkeypatch.setenv(SWITCH, "0")
    other = shared(*on_gpu(given), given.gpus, is_prepared=is_prepared)
    assert len(poisoned) == before, "the kernel ran"
    close(*(Shares(*(x.numpy(force=True) for x in one)) for one in (made, other)))


def test_the_log_says_why_the_kernel_does_not_run(poisoned: list[int], caplog: pytest.LogCaptureFixture) -> None:
    weight = torch.ones((1, 1025), dtype=torch.int32, device="cuda")
    phy2log = torch.arange(1032, device="cuda")[None] % 1025
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        made = shared(phy2log, weight, 8)
        none = shared(phy2log[:0, :12], weight[:0, :8], 4)
    reasons = ("the kernel shares among at most 1024 experts, got 1025", "there are no layers")
    for reason in reasons:
        assert f"share_of_plan runs without its kernel: {reason}" in caplog.messages
    assert not poisoned
    assert int(made.share.sum()) == 1025
    assert none.share.shape == (0, 12)
