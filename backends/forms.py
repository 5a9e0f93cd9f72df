"""Which forms of the code plan in this process, and why others don't."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.takeover import NATIVE, OFF, SWITCH, TRITON, Refusal, is_switched_on

NO_TORCH = "PyTorch is not installed"


class Form(NamedTuple):
    """A form of the code, for some arrays."""

    name: str
    arrays: str
    is_used: bool
    reason: str  # how it is used, or why not


def forms() -> list[Form]:
    """All forms; looks for GPUs, for which it imports PyTorch and JAX."""
    return [
        _form(NATIVE, "in host memory", _native),
        _form(TRITON, "of PyTorch on NVIDIA GPUs", _triton_for_torch),
        _form(TRITON, "of JAX on NVIDIA GPUs", _triton_for_jax),
        _form(NATIVE, "of PyTorch on GPUs, where no kernel plans", _native_through_host),
    ]


def _form(name: str, arrays: str, look: Callable[[], str | Refusal]) -> Form:
    if not is_switched_on(name):
        value = os.environ[SWITCH]
        turned = "turns all forms off" if value == OFF else "names other forms"
        return Form(name, arrays, is_used=False, reason=f"{SWITCH}={value} {turned}")
    found = look()
    if isinstance(found, Refusal):
        return Form(name, arrays, is_used=False, reason=found.reason)
    return Form(name, arrays, is_used=True, reason=found)


def _native() -> str | Refusal:
    module: Any = from_numpy.extension()
    if isinstance(module, Refusal):
        return module
    threads = from_numpy.threads()
    return f"{module.MOST_LANES} lanes, {threads} {'thread' if threads == 1 else 'threads'} ({from_numpy.THREADS})"


def _native_through_host() -> str | Refusal:
    if find_spec("torch") is None:
        return Refusal(NO_TORCH)
    from eplb_xp.backends.tensors.through_host import HOST, OFF, ON, is_asked_for  # noqa: PLC0415 # as below

    return _native() if is_asked_for() else Refusal(f"{HOST} is {OFF} unless it is set to {ON}")


def _triton_for_torch() -> str | Refusal:
    if find_spec("torch") is None:
        return Refusal(NO_TORCH)
    import torch  # noqa: PLC0415 # it takes seconds, and may not be there

    from eplb_xp.backends.launching import from_torch  # noqa: PLC0415

    if not from_torch.IS_INSTALLED:
        return Refusal(from_torch.NOT_INSTALLED)
    if not torch.cuda.is_available():
        return Refusal("PyTorch finds no NVIDIA GPU")
    return torch.cuda.get_device_name()


def _triton_for_jax() -> str | Refusal:
    if find_spec("jax") is None:
        return Refusal("JAX is not installed")
    from eplb_xp.backends.launching import from_jax  # noqa: PLC0415 # as above

    reason = from_jax.missing()
    if reason is not None:
        return Refusal(reason)
    import jax  # noqa: PLC0415

    return str(jax.devices("cuda")[0].device_kind)
