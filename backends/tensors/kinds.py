"""Kinds of tensors: which are no more than their values, which have none, and which can't be planned for."""

import functools
import operator
import sys

import torch
from torch._C import (
    DispatchKey,
    DispatchKeySet,
    _are_functorch_transforms_active,
    _dispatch_keys,
    _get_dispatch_mode,
    _get_function_stack_at,
    _get_tracing_state,
    _len_torch_dispatch_stack,
    _len_torch_function_stack,
    _TorchDispatchModeKey,
)
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._device import DeviceContext

# All that torch's dispatcher may know of a plain tensor. What torch.func wraps, and fake, functional, meta, sparse,
# nested and quantized tensors have other keys; `numpy()` of some of them reads memory that nobody wrote.
_KEYS = (
    *("CPU", "AutogradCPU", "AutocastCPU", "CUDA", "AutogradCUDA", "AutocastCUDA"),
    *("ADInplaceOrView", "Negative"),
)
_OTHER_KEYS = ~functools.reduce(operator.or_, (DispatchKeySet(getattr(DispatchKey, key)) for key in _KEYS)).raw_repr()

_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter})

# Modes in which operations are recorded.
_TRACING = (_TorchDispatchModeKey.FAKE, _TorchDispatchModeKey.FUNCTIONAL, _TorchDispatchModeKey.PROXY)


def is_plain(x: torch.Tensor) -> bool:
    """Whether a tensor is its values in memory and nothing else, and nobody looks on at what is done with it.

    Never asked under torch.compile, which can't trace it.
    """
    return (
        type(x) in _PLAIN
        and not _dispatch_keys(x).raw_repr() & _OTHER_KEYS
        and not _are_functorch_transforms_active()
        and not _len_torch_dispatch_stack()
        and not (_len_torch_function_stack() and _is_seen_by_a_function_mode())
        and _get_tracing_state() is None
    )


def _is_seen_by_a_function_mode() -> bool:
    """Whether there is another than that of torch.set_default_device, which is about new tensors only."""
    modes = map(_get_function_stack_at, range(_len_torch_function_stack()))
    return not all(isinstance(mode, DeviceContext) for mode in modes)


def check_kind(name: str, x: torch.Tensor) -> None:
    """Refuse a tensor that does not hold an array as it is, with what makes one of it."""
    if x.is_nested:
        kind, instead = "nested", f"torch.nested.to_padded_tensor({name}, 0)"
    elif x.layout is not torch.strided:
        kind, instead = f"of layout {x.layout}", f"{name}.to_dense()"
    elif x.is_quantized:
        kind, instead = "quantized", f"{name}.dequantize()"
    elif type(x) in _PLAIN:
        return
    elif _is_of(x, "torch.masked", "MaskedTensor"):
        kind, instead = "a MaskedTensor", f"{name}.to_tensor(0)"
    elif _is_of(x, "torch.distributed.tensor", "DTensor"):
        kind, instead = "a DTensor", f"{name}.full_tensor(), from which every rank makes the same plan"
    else:
        return
    raise TypeError(f"{name} must be a plain tensor, and it is {kind}: give {instead}")


def _is_of(x: torch.Tensor, module: str, name: str) -> bool:
    """Whether a tensor is of a class of a module that may not have been imported."""
    cls = getattr(sys.modules.get(module), name, None)
    return cls is not None and isinstance(x, cls)


def check_has_values(x: torch.Tensor) -> None:
    """Refuse to read a tensor that has no values, or none that can be got at."""
    if _is_traced(x):
        raise TypeError(
            "a traced array has no values yet, nor has a fake or meta tensor: call check_loads outside of "
            "torch.compile, torch.func and make_fx, on concrete loads"
        )
    if _dispatch_keys(x).has(DispatchKey.Python):
        raise TypeError(f"the values of {type(x).__name__} can't be read: call check_loads on the tensor that it holds")


def _is_traced(x: torch.Tensor) -> bool:
    """Whether operations on a tensor are recorded or transformed instead of done."""
    return (
        torch.compiler.is_compiling()
        or _are_functorch_transforms_active()
        or _get_tracing_state() is not None
        or any(map(_get_dispatch_mode, _TRACING))
        or x.is_meta
        or isinstance(x, FakeTensor)
        or torch._is_functional_tensor(x)
    )
