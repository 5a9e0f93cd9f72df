"""Subclasses of tensors, as people write them."""

from typing import Any

import torch
from torch.utils._mode_utils import no_dispatch
from torch.utils._pytree import tree_map_only


class Named(torch.Tensor):
    """A subclass as most are."""


class Held(torch.Tensor):
    """A subclass that holds a tensor and hands all operations on to it."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "Held":
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device=held.device)

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        args, kwargs = tree_map_only(Held, lambda x: x.held, (args, kwargs or {}))
        return func(*args, **kwargs)


class Below(torch.Tensor):
    """A subclass that runs its operations without itself, on the memory that it has."""

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        with no_dispatch():
            return func(*args, **(kwargs or {}))
