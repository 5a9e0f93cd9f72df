"""PyTorch, eager and under torch.compile."""

from collections.abc import Callable
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from torch._higher_order_ops.while_loop import while_loop

from eplb_xp.backends.division import corrected
from eplb_xp.backends.standard import Carry, Standard
from eplb_xp.types import Array


class Torch(Standard):
    """PyTorch on any device."""

    def __init__(self) -> None:
        super().__init__(xp)

    def while_loop(self, cond: Callable[[Carry], Array], body: Callable[[Carry], Carry], carry: Carry) -> Carry:
        if not torch.compiler.is_compiling():
            return super().while_loop(cond, body, carry)
        # torch's structured loop knows plain tuples only.
        pack = type(carry)

        def flat_cond(*leaves: Array) -> Array:
            return cond(pack(*leaves))

        def flat_body(*leaves: Array) -> tuple[Array, ...]:
            return tuple(body(pack(*leaves)))

        return pack(*while_loop(flat_cond, flat_body, tuple(carry)))

    @property
    def index_dtype(self) -> Any:
        return torch.int64

    def is_readable(self, x: Array) -> bool:
        return x.device.type == "cpu" and not torch.compiler.is_compiling()

    def to_numpy(self, x: Array) -> np.ndarray[Any, Any]:
        x = x.detach().cpu().resolve_neg()
        return (x.float() if x.is_floating_point() and x.itemsize < 4 else x).numpy()

    def float32(self, x: Array) -> Array:
        return x.detach().to(torch.float32)

    def divide(self, w: Array, n: Array) -> Array:
        if not torch.compiler.is_compiling() or w.device.type == "cpu":
            return w / n
        # The division that Inductor compiles for a GPU is not correctly rounded.
        return corrected(xp, w / n, w, n, bits=lambda q: q.view(torch.int32), floats=lambda q: q.view(torch.float32))

    def running_minimum(self, x: Array) -> Array:
        return torch.cummin(x, dim=-1).values

    def put_along_axis(self, x: Array, indices: Array, values: Array) -> Array:
        return x.scatter(-1, indices, values)


LIBRARY = Torch()
