"""The GPU, and what the times were taken with."""

import platform
import shutil
import subprocess
from importlib import metadata, util
from typing import Any

import torch

from eplb_xp.backends.takeover import SWITCH, TRITON, is_switched_on

PACKAGES = ("eplb-xp", "numpy", "torch", "triton", "jax", "jaxlib", "jax-triton")


def why_not() -> str | None:
    """Why nothing can be measured here."""
    if torch.version.cuda is None:
        return f"needs an NVIDIA GPU, and torch {torch.__version__} is built without CUDA"
    if not torch.cuda.is_available():
        return "needs an NVIDIA GPU, and torch finds none"
    if util.find_spec("triton") is None:
        return "needs Triton for the kernels, and it is not installed"
    if not is_switched_on(TRITON):
        return f"needs the kernels, and {SWITCH} turns them off"
    return None


def describe() -> dict[str, Any]:
    """The GPU, its driver, and versions; None where there is nothing to tell them."""
    return {
        "gpu": torch.cuda.get_device_name(),
        "driver": driver(),
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def driver() -> str | None:
    """The version of the driver, as nvidia-smi tells it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    told = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603 # no shell, and no input
    return told.stdout.split("\n")[0].strip() or None if told.returncode == 0 else None


def version(package: str) -> str | None:
    """The version of a package, if it is installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
