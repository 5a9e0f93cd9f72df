"""A plugin of pytest for ``make sanitize``: the extension module of native code is that of a folder."""

import importlib.util
import sys
from pathlib import Path

import pytest

from eplb_xp.backends.launching.from_numpy import MODULE


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--native", type=Path, required=True, help="folder that was built into")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before anything looks for it."""
    (path,) = early_config.known_args_namespace.native.rglob("_native.*.so")
    spec = importlib.util.spec_from_file_location(MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[MODULE] = module
