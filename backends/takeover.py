"""Kernels that take over a whole step for arrays of their library.

A kernel is registered for one library and one step. It gets what the step gets and returns what the
step returns, bit for bit, or a :class:`Refusal`, after which the once-written step runs as if there
were no kernel. ``EPLB_XP_KERNELS`` in the environment names the forms of code that may take over, all of
them unless it is set; with ``EPLB_XP_KERNELS=0`` nothing takes over.
"""

import functools
import importlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SWITCH = "EPLB_XP_KERNELS"
OFF = "0"
NATIVE, TRITON = FORMS = ("native", "triton")

Step = Callable[..., Any]
Kernel = Callable[..., Any]

_log = logging.getLogger("eplb_xp")
_kernels: dict[tuple[type, Step], tuple[Kernel, str | None]] = {}


@dataclass(frozen=True)
class Refusal:
    """What a kernel returns where it leaves the arrays to the once-written step."""

    reason: str


SEVERAL_DEVICES = Refusal("the tensors are on several devices")


def register(library: type, step: Step, kernel: Kernel, *, form: str | None = None) -> None:
    """Let a kernel take over a step for arrays of a library, where its form may; without a form it sees to that."""
    _kernels[library, step] = kernel, form


def found_in(module: str, name: str) -> Kernel:
    """The kernel of a name in a module of `launching/`, which is imported with the first step that it takes over."""
    return functools.partial(_by_kernel, module, name)


def _by_kernel(module: str, name: str, lib: Any, *arrays: Any, **sizes: Any) -> Any:
    return getattr(_launching(module), name)(lib, *arrays, **sizes)


@functools.cache
def _launching(module: str) -> Any:
    return importlib.import_module(f"eplb_xp.backends.launching.{module}")


def is_switched_on(form: str | None = None) -> bool:
    """Whether kernels of a form, or of any, may take over."""
    value = os.environ.get(SWITCH)
    if value is None:
        return True
    if value == OFF:
        return False
    named = [name.strip() for name in value.split(",")]
    for name in named:
        if name not in FORMS:
            raise ValueError(f"{SWITCH} must be {OFF}, or one or more of {', '.join(FORMS)}, got {value!r}")
    return form is None or form in named


def take_over(lib: Any, step: Step, arrays: tuple[Any, ...], sizes: dict[str, Any]) -> Any:
    """The result of the kernel for this step, or a refusal."""
    kernel, form = _kernels.get((type(lib), step), (None, None))
    if kernel is None:
        return Refusal("there is no kernel for this step")
    if not is_switched_on(form):
        return Refusal(f"{SWITCH}={os.environ[SWITCH]}")
    result = kernel(lib, *arrays, **sizes)
    if isinstance(result, Refusal):
        _log.debug("%s runs without its kernel: %s", step.__name__, result.reason)
    return result
