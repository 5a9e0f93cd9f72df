"""Which versions are installed, which forms of the code they plan with, and which engines find an adapter."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from eplb_xp.backends.forms import Form, forms
from eplb_xp.engines.installed import Adapter, adapters

PACKAGES = ("numpy", "jax", "jaxlib", "torch", "triton", "jax-triton", "array-api-compat")


class Installation(NamedTuple):
    """What there is."""

    version: str
    python: str
    machine: str
    packages: dict[str, str | None]
    forms: list[Form]
    engines: list[Adapter]


def installation() -> Installation:
    """What there is in this environment."""
    packages = {name: _version(name) for name in PACKAGES}
    found = _version("eplb-xp") or "not installed"
    return Installation(found, platform.python_version(), platform.machine(), packages, forms(), adapters())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
