"""PyTorch, eager and under torch.compile."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch._higher_order_ops.while_loop import while_loop

from eplb_xp.algorithms import pipeline
from eplb_xp.algorithms.following import follow
from eplb_xp.algorithms.routing import quotas, route
from eplb_xp.algorithms.sharing import prepared, shares
from eplb_xp.backends.division import corrected
from eplb_xp.backends.float32 import EXPONENT, TWICE_ONE
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.loops import Carry
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.steps import SEARCHES, WITHOUT_KERNELS
from eplb_xp.backends.takeover import NATIVE, SWITCH, TRITON, Refusal, Step, found_in, is_switched_on, register
from eplb_xp.backends.tensors.kinds import check_has_values, is_plain
from eplb_xp.backends.tensors.on_numpy import as_numpy, on_numpy
from eplb_xp.backends.tensors.through_host import through_host
from eplb_xp.saving import name_to_torch
from eplb_xp.types import Array, Prepared, Shares

_INTEGERS = frozenset(getattr(torch, f"{kind}{bits}") for kind in ("int", "uint") for bits in (8, 16, 32, 64))
_PAIRS = torch.float4_e2m1fn_x2  # an entry of that one is two numbers

# Steps that kernels take over on a GPU.
WITH_KERNELS = (
    *(pipeline.plan, follow.follow, follow.follow_or_renew, shares.share, shares.share_of_plan),
    *(quotas.quotas, quotas.quotas_of_rank, route.route_in_turn, route.route_by_quota),
)

# Steps that native code takes over in host memory.
NATIVELY = (pipeline.plan, *SEARCHES)
# Those and others that eager operations on a device take long for.
PLANS = (*NATIVELY, pipeline.place, pipeline.pack_items)


class Torch(Standard):
    """PyTorch on any device."""

    slots_at_once = 2**20  # a GPU's time is that of the launches

    def __init__(self) -> None:
        """Its namespace comes with the first step that no other code takes over."""

    @property
    def xp(self) -> Any:
        from array_api_compat import torch as xp  # noqa: PLC0415 # as said

        return xp

    def while_loop(self, cond: Callable[[Carry], Array], body: Callable[[Carry], Carry], carry: Carry) -> Carry:
        if not torch.compiler.is_compiling():
            return super().while_loop(cond, body, carry)
        # torch's structured loop knows plain tuples only. It wants the strides of a carry to stay what they are, and no
        # round to return an array that it was given.
        kind = _kind(carry)

        def flat(carry: Carry) -> tuple[Array, ...]:
            return tuple(leaf.clone(memory_format=torch.contiguous_format) for leaf in _leaves(carry))

        def flat_cond(*leaves: Array) -> Array:
            return cond(_of_kind(kind, leaves))

        def flat_body(*leaves: Array) -> tuple[Array, ...]:
            return flat(body(_of_kind(kind, leaves)))

        return _of_kind(kind, while_loop(flat_cond, flat_body, flat(carry)))

    @property
    def keeps_rows(self) -> bool:
        return torch.compiler.is_compiling()

    @property
    def index_dtype(self) -> Any:
        return torch.int64

    def is_real(self, x: Array) -> bool:
        return x.dtype in _INTEGERS or (x.dtype.is_floating_point and x.dtype is not _PAIRS)

    def is_integer(self, x: Array) -> bool:
        return x.dtype in _INTEGERS

    def is_readable(self, x: Array) -> bool:
        return not torch.compiler.is_compiling() and x.is_cpu and is_plain(x)

    def to_numpy(self, x: Array) -> np.ndarray[Any, Any]:
        if torch.compiler.is_compiling() or not is_plain(x):
            check_has_values(x)
        return as_numpy(x)

    def float32(self, x: Array) -> Array:
        return x.detach().to(torch.float32)

    def for_each_row(self, number: Array, like: Array) -> Array:
        return number.to(like.device, torch.int64).expand(len(like), 1)  # a sum would be launches on a GPU

    def constant(self, table: Sequence[int], like: Array) -> Array:
        # It is read before the call returns, so that no GPU need be waited for.
        return torch.tensor(table, dtype=torch.int64, device="cpu").to(like.device, non_blocking=True)

    def divide(self, w: Array, n: Array) -> Array:
        if not torch.compiler.is_compiling() or w.device.type == "cpu":
            return w / n
        # The division that Inductor compiles for a GPU is not correctly rounded.
        return corrected(
            self.xp, w / n, w, n, bits=lambda q: q.view(torch.int32), floats=lambda q: q.view(torch.float32)
        )

    def reciprocal_of_binade(self, x: Array) -> Array:
        return (TWICE_ONE - (x.view(torch.int32) & EXPONENT)).view(torch.float32)

    def running_minimum(self, x: Array) -> Array:
        return torch.cummin(x, dim=-1).values

    def take_along_axis(self, x: Array, indices: Array) -> Array:
        return x.gather(-1, indices)

    def put_along_axis(self, x: Array, indices: Array, values: Array) -> Array:
        return x.scatter(-1, indices, values)

    def sort_rows(self, key: Array, tag: Array, *, descending: bool = False) -> tuple[Array, Array]:
        bits = key.view(torch.int32)
        line = (((-bits if descending else bits).to(torch.int64) << 32) | tag).sort(dim=-1).values
        bits = (line >> 32).to(torch.int32)
        return (-bits if descending else bits).view(torch.float32), line & (2**32 - 1)

    def run(self, step: Step, *arrays: Array, **sizes: Any) -> Any:
        if torch.compiler.is_compiling():
            # The step itself is traced, unless other code takes over or torch.func transforms the loops.
            is_taken = _is_taken_natively if arrays[-1].is_cpu else _is_taken_by_kernels
            if not (is_taken(step, arrays[-1], **sizes) or torch._C._are_functorch_transforms_active()):
                return self.call(step, *arrays, **sizes)
        elif all(map(is_plain, arrays)):
            return super().run(step, *arrays, **sizes)
        from eplb_xp.backends.tensors.operators import as_operator  # noqa: PLC0415 # see backends/torch.py

        return as_operator(step, *arrays, **sizes)


def _is_taken_by_kernels(step: Step, last: Array, **_: Any) -> bool:
    if step not in WITH_KERNELS or not last.is_cuda:
        return False
    from eplb_xp.backends.launching.from_torch import IS_INSTALLED  # noqa: PLC0415 # tensors on a CPU don't need it

    return IS_INSTALLED and is_switched_on(TRITON)


def _is_taken_natively(step: Step, _: Array, **sizes: Any) -> bool:
    if step not in NATIVELY or not from_numpy.IS_BUILT or not is_switched_on(NATIVE):
        return False
    return bool(sizes["sizes"].num_replicas <= from_numpy.MOST_REPLICAS)


# A carry as its type, the kinds of its parts, and the number of its arrays.
_Kind = tuple[Any, tuple[Any, ...], int]


def _kind(carry: Any) -> _Kind:
    if not isinstance(carry, tuple):
        return None, (), 1
    parts = tuple(_kind(part) for part in carry)
    return type(carry), parts, sum(part[2] for part in parts)


def _leaves(carry: Any) -> tuple[Array, ...]:
    """All arrays of a carry."""
    return sum((_leaves(part) for part in carry), ()) if isinstance(carry, tuple) else (carry,)


def _of_kind(kind: _Kind, leaves: tuple[Array, ...]) -> Any:
    """The carry with these arrays."""
    pack, parts, _ = kind
    if pack is None:
        return leaves[0]
    found = []
    for part in parts:
        found.append(_of_kind(part, leaves[: part[2]]))
        leaves = leaves[part[2] :]
    return pack(*found)


LIBRARY = Torch()

name_to_torch()


def _taken(step: Step, by_kernels: Step, lib: Standard, *tensors: torch.Tensor, **sizes: Any) -> Any:
    """A step by NumPy in host memory, by the kernels on a GPU, or through the host, if that is asked for."""
    if tensors[-1].is_cpu:
        return on_numpy(step, lib, *tensors, **sizes)
    made: Any = Refusal("kernels are for NVIDIA GPUs" if is_switched_on(TRITON) else f"{SWITCH} does not name {TRITON}")
    if tensors[-1].is_cuda and is_switched_on(TRITON):
        made = by_kernels(lib, *tensors, **sizes)
    if isinstance(made, Refusal) and step in PLANS:
        return through_host(step, made.reason, lib, *tensors, **sizes)
    return made


def _without_kernel(step: Step, lib: Standard, *tensors: torch.Tensor, **sizes: Any) -> Any:
    """A step by NumPy in host memory, or through it, if that is asked for."""
    if step in PLANS and not tensors[-1].is_cpu:
        return through_host(step, "there is no kernel for this step", lib, *tensors, **sizes)
    return on_numpy(step, lib, *tensors, **sizes)


def _prepare(lib: Standard, phy2log: torch.Tensor, **sizes: Any) -> Prepared[torch.Tensor]:
    """By NumPy in host memory; without gaps, which the kernel would have to close in each call."""
    found = on_numpy(prepared.prepare, lib, phy2log, **sizes)
    if isinstance(found, Refusal):
        found = lib.call(prepared.prepare, phy2log, **sizes)
    return Prepared(*(x.contiguous() for x in found))


def _share_of_plan(
    lib: Standard, phy2log: torch.Tensor, *others: torch.Tensor, num_gpus: int, rounds: int
) -> Shares[torch.Tensor] | Refusal:
    """By the kernel, for which the once-written code prepares the plan."""
    from eplb_xp.backends.launching.shares_from_torch import sharer_of  # noqa: PLC0415 # as above

    layers, experts = others[-1].shape
    sharer = sharer_of(layers, experts, phy2log.shape[1], num_gpus)
    if isinstance(sharer, Refusal):
        return sharer
    return sharer(*_prepare(lib, phy2log, num_experts=experts, num_gpus=num_gpus), *others, rounds=rounds)


for taken, module in (
    (pipeline.plan, "from_torch"),
    (follow.follow, "follows_from_torch"),
    (follow.follow_or_renew, "follows_from_torch"),
    (shares.share, "shares_from_torch"),
    (quotas.quotas, "quotas_from_torch"),
    (quotas.quotas_of_rank, "quotas_from_torch"),
    (route.route_in_turn, "routes_from_torch"),
    (route.route_by_quota, "routes_from_torch"),
):
    register(Torch, taken, functools.partial(_taken, taken, found_in(module, taken.__name__)))
register(Torch, shares.share_of_plan, functools.partial(_taken, shares.share_of_plan, _share_of_plan))
register(Torch, prepared.prepare, _prepare)
for step in WITHOUT_KERNELS:
    register(Torch, step, functools.partial(_without_kernel, step))
