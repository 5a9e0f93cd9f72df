"""Kernels that take over a whole step for arrays of their library.

A kernel is registered for one library and one step. It gets what the step gets and returns what the
step returns, bit for bit, or a :class:`Refusal`, after which the once-written step runs as if there
were no kernel. ``EPLB_XP_KERNELS=0`` in the environment turns every kernel off.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SWITCH = "EPLB_XP_KERNELS"

Step = Callable[..., Any]
Kernel = Callable[..., Any]

_log = logging.getLogger("eplb_xp")
_kernels: dict[tuple[type, Step], Kernel] = {}


@dataclass(frozen=True)
class Refusal:
    """What a kernel returns where it leaves the arrays to the once-written step."""

    reason: str


def register(library: type, step: Step, kernel: Kernel) -> None:
    """Let a kernel take over a step for arrays of a library."""
    _kernels[library, step] = kernel


def unregister(library: type, step: Step) -> None:
    """Leave a step to the once-written code again."""
    del _kernels[library, step]


def is_switched_on() -> bool:
    """Whether kernels may take over."""
    return os.environ.get(SWITCH) != "0"


def take_over(lib: Any, step: Step, arrays: tuple[Any, ...], sizes: dict[str, Any]) -> Any:
    """The result of the kernel for this step, or a refusal."""
    kernel = _kernels.get((type(lib), step))
    if kernel is None:
        return Refusal("there is no kernel for this step")
    if not is_switched_on():
        return Refusal(f"{SWITCH}=0")
    result = kernel(lib, *arrays, **sizes)
    if isinstance(result, Refusal):
        _log.debug("%s runs without its kernel: %s", step.__name__, result.reason)
    return result
