"""Plans on a device that no kernel makes, by way of the host, for those who ask for it.

Eager PyTorch takes seconds for one on a GPU, in thousands of launches. A copy there and back takes microseconds beside
the plan of native code, but the host waits for the loads, which not everyone wants.
"""

import functools
import logging
import os
from typing import Any

import torch

from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import SEVERAL_DEVICES, Refusal, Step
from eplb_xp.backends.tensors.on_numpy import on_numpy

HOST = "EPLB_XP_HOST"
ON, OFF = "1", "0"

_log = logging.getLogger("eplb_xp")


def through_host(step: Step, reason: str, lib: Standard, *tensors: torch.Tensor, **sizes: Any) -> Any:
    """The step in host memory and its result where the loads are, or a refusal; the reason is why no kernel did it."""
    device = tensors[-1].device
    if any(tensor.device != device for tensor in tensors):
        return SEVERAL_DEVICES
    if not is_asked_for():
        _say_once(device.type, step.__name__, reason)
        return Refusal(reason)
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return Refusal(f"{reason}, and a CUDA graph can't wait for the host")
    made = on_numpy(step, lib, *(tensor.detach().cpu() for tensor in tensors), **sizes)
    results = [result.to(device) for result in made]
    return type(made)(*results) if hasattr(made, "_fields") else tuple(results)


def is_asked_for() -> bool:
    """Whether plans may go through the host."""
    value = os.environ.get(HOST, OFF)
    if value not in {ON, OFF}:
        raise ValueError(f"{HOST} must be {OFF} or {ON}, got {value!r}")
    return value == ON


@functools.cache
def _say_once(device: str, step: str, reason: str) -> None:
    _log.info(
        "%s runs as eager PyTorch on %s, which may take seconds: %s; %s=%s lets it go through the host",
        *(step, device, reason, HOST, ON),
    )
