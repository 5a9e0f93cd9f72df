"""What a process that interprets Triton's kernels does once, and Triton with each call or value.

A plan takes 10,000 calls of functions and 100,000 values, of a few shapes.
"""

from collections.abc import Callable
from typing import Any
from unittest import mock

from triton.language import core
from triton.language.semantic import TritonSemantic
from triton.runtime import interpreter


def interpret_faster() -> None:
    """All of it, for good: nothing is put back, as this process does nothing else."""
    interpreter._patch_lang = replaced_once(interpreter._patch_lang)
    interpreter._get_np_dtype = looked_up_once(interpreter._get_np_dtype)
    core.block_type.__init__ = checked_once(core.block_type.__init__)
    core.tensor.__init__ = shaped_once(core.tensor.__init__)
    TritonSemantic.broadcast_impl_value = broadcast_if_needed(TritonSemantic.broadcast_impl_value)


def replaced_once(replace_language: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Triton's language becomes what interprets it once for each module, not in each call of its functions."""
    replaced: set[int] = set()
    nothing_put_back = mock.Mock()

    def replace_new(function: Any) -> Any:
        module = id(function.__globals__)
        if module not in replaced:
            replaced.add(module)
            replace_language(function)
        return nothing_put_back

    return replace_new


def looked_up_once(dtype_of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """NumPy's dtype for each of Triton's."""
    known: dict[str, Any] = {}

    def dtype_for(dtype: Any) -> Any:
        name = str(dtype.scalar)
        if name not in known:
            known[name] = dtype_of(dtype)
        return known[name]

    return dtype_for


def checked_once(begin: Callable[..., None]) -> Callable[..., None]:
    """Types of blocks: a shape is checked and written out once."""
    known: dict[tuple[Any, ...], dict[str, Any]] = {}

    def begin_type(self: Any, element_ty: Any, shape: Any) -> None:
        key = str(element_ty), *(core._unwrap_if_constexpr(size) for size in shape)
        if key not in known:
            begin(self, element_ty, shape)
            known[key] = dict(vars(self))
        vars(self).update(known[key], element_ty=element_ty)

    return begin_type


def shaped_once(begin: Callable[..., None]) -> Callable[..., None]:
    """Values: the shape that a kernel sees is made once."""
    known: dict[tuple[int, ...], dict[str, Any]] = {}

    def begin_value(self: Any, handle: Any, type: Any) -> None:  # noqa: A002 # its name in Triton
        key = tuple(type.shape) if type.is_block() else ()
        if key not in known:
            begin(self, handle, type)
            known[key] = {"shape": self.shape, "numel": self.numel}
        vars(self).update(known[key], handle=handle, type=type, dtype=type.scalar)

    return begin_value


def broadcast_if_needed(broadcast: Callable[..., Any]) -> Callable[..., Any]:
    """Two values of one shape stay as they are."""

    def broadcast_others(self: Any, one: Any, other: Any) -> Any:
        both = one.type, other.type
        if both[0].is_block() and both[1].is_block() and tuple(both[0].shape) == tuple(both[1].shape):
            return one, other
        return broadcast(self, one, other)

    return broadcast_others
