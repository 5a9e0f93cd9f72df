"""Which versions are installed, and which forms of the code they plan with."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from eplb_xp.backends.forms import Form, forms

PACKAGES = ("numpy", "jax", "jaxlib", "torch", "triton", "jax-triton", "array-api-compat")


class Installation(NamedTuple):
    """What there is."""

    version: str
    python: str
    machine: str
    packages: dict[str, str | None]
    forms: list[Form]


def installation() -> Installation:
    """What there is in this environment."""
    packages = {name: _version(name) for name in PACKAGES}
    found = _version("eplb-xp") or "not installed"
    return Installation(found, platform.python_version(), platform.machine(), packages, forms())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
