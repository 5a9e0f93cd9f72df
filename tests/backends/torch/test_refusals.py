"""Tensors that can't be planned for, and values that can't be read."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import distributed
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate
from torch.func import functionalize, grad, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils.flop_counter import FlopCounterMode

from eplb_xp import check_loads, evaluate, rebalance_experts, replicate_experts
from tests.support.torch_kinds import Held, Named
from tests.support.torch_plans import few

LOADS = few(3)
BAD = LOADS.clone()
BAD[1, 2] = torch.nan


def nested(x: torch.Tensor) -> torch.Tensor:
    return torch.nested.nested_tensor([*x], layout=torch.strided)


def jagged(x: torch.Tensor) -> torch.Tensor:
    return torch.nested.nested_tensor([*x], layout=torch.jagged)


def quantized(x: torch.Tensor) -> torch.Tensor:
    return torch.quantize_per_tensor(x.float(), 0.1, 0, torch.quint8)


def masked(x: torch.Tensor) -> torch.Tensor:
    return torch.masked.MaskedTensor(x, x > 0)


UNFIT = [
    (torch.Tensor.to_sparse, "of layout torch.sparse_coo: give {}.to_dense()"),
    (torch.Tensor.to_sparse_csr, "of layout torch.sparse_csr: give {}.to_dense()"),
    (nested, "nested: give torch.nested.to_padded_tensor({}, 0)"),
    (jagged, "nested: give torch.nested.to_padded_tensor({}, 0)"),
    (quantized, "quantized: give {}.dequantize()"),
    (masked, "a MaskedTensor: give {}.to_tensor(0)"),
]


@pytest.mark.parametrize(("make", "message"), UNFIT, ids=[make.__name__ for make, _ in UNFIT])
def test_what_does_not_hold_an_array_is_refused(make: Callable[[torch.Tensor], torch.Tensor], message: str) -> None:
    phy2log = rebalance_experts(LOADS, 12, 1, 1, 4).phy2log
    with warnings.catch_warnings(action="ignore"):  # torch says that they may change
        weight, plan = make(LOADS), make(phy2log)
    for name, call in (
        ("weight", lambda: check_loads(weight)),
        ("weight", lambda: replicate_experts(weight, 12)),
        ("weight", lambda: evaluate((phy2log,) * 3, weight, 4)),
        ("phy2log", lambda: evaluate((plan,) * 3, LOADS, 4)),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == f"{name} must be a plain tensor, and it is " + message.format(name)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_dtensor_is_refused(compiled: bool) -> None:
    distributed.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    try:
        weight = DTensor.from_local(LOADS, init_device_mesh("cpu", (2,)), [Replicate()])
        function = torch.compile(replicate_experts, backend="eager") if compiled else replicate_experts
        with pytest.raises(TypeError, match=r"weight .* is a DTensor: give weight\.full_tensor\(\), from which every"):
            function(weight, 12)
    finally:
        distributed.destroy_process_group()


def test_a_proxy_is_refused() -> None:
    with pytest.raises(TypeError, match=r"weight is a torch\.fx\.Proxy, which has no shape"):
        torch.fx.symbolic_trace(lambda weight: replicate_experts(weight, 12))


TRACED: dict[str, Callable[[Any], Any]] = {
    "functionalize": functionalize(check_loads),
    "vmap": vmap(check_loads),
    "grad": grad(check_loads),
    "jvp": lambda weight: jvp(check_loads, (weight,), (weight,)),
    "make_fx": make_fx(check_loads),
    "make_fx, fake": make_fx(check_loads, tracing_mode="fake"),
    "make_fx, symbolic": make_fx(check_loads, tracing_mode="symbolic"),
    "meta": lambda weight: check_loads(weight.to("meta")),
    "fake": lambda weight: check_loads(FakeTensorMode().from_tensor(weight)),
}


@pytest.mark.parametrize("check", TRACED.values(), ids=TRACED)
def test_check_loads_refuses_what_has_no_values(check: Callable[[Any], Any]) -> None:
    weight = LOADS[None] if check is TRACED["vmap"] else LOADS
    with pytest.raises(TypeError, match="a traced array has no values yet, nor has a fake or meta tensor"):
        check(weight)


def test_check_loads_under_compile_leaves_the_program_or_is_refused() -> None:
    def step(weight: torch.Tensor) -> torch.Tensor:
        check_loads(weight)
        return weight * 2

    torch.compiler.reset()
    assert torch.equal(torch.compile(step, backend="eager")(LOADS), LOADS * 2)
    with pytest.raises(ValueError, match=r"the first nan at \[1, 2\]"):
        torch.compile(step, backend="eager")(BAD)
    torch.compiler.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="a traced array has no values yet"):
        torch.compile(step, backend="eager", fullgraph=True)(LOADS)


def test_check_loads_reads_what_can_be_read() -> None:
    for weight in (BAD, BAD.clone().requires_grad_(), BAD.as_subclass(Named), torch.complex(LOADS, -BAD).conj().imag):
        with pytest.raises(ValueError, match=r"the first nan at \[1, 2\]"):
            check_loads(weight)
    with FlopCounterMode(display=False), pytest.raises(ValueError, match="1 load that is NaN"):
        check_loads(BAD)
    check_loads(torch._efficientzerotensor((3, 8)))
    with pytest.raises(
        TypeError, match="the values of Held can't be read: call check_loads on the tensor that it holds"
    ):
        check_loads(Held(BAD))
