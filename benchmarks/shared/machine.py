"""What the times were taken on."""

import os
from importlib import metadata
from typing import Any

import jax
import torch

PACKAGES = ("eplb-xp", "numpy", "jax", "jaxlib", "torch", "array-api-compat")


def describe() -> dict[str, Any]:
    """Versions, and how much of the machine there is to use."""
    return {
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "cores": len(os.sched_getaffinity(0)),
        "torch_threads": torch.get_num_threads(),
        "jax_devices": [f"{device.platform} {device.device_kind}" for device in jax.devices()],
        "torch_cuda_device": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
