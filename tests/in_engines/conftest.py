"""Where the engines' packages are: ``EPLB_XP_ENGINES``, as ``make test-engines`` sets it."""

import os
from pathlib import Path

import pytest

from tests.support.paths import ROOT

ENGINES = Path(os.environ.get("EPLB_XP_ENGINES", ROOT / "build" / "engines"))


@pytest.fixture
def package(request: pytest.FixtureRequest) -> Path:
    """The folder of the package that the test names, or the reason why there is none."""
    name: str = request.param
    missing = ENGINES / f"{name}.missing"
    if missing.is_file():
        pytest.skip(f"{name} can't be had: {missing.read_text()}")
    if not (ENGINES / name).is_dir():
        pytest.fail(f"{name} was not fetched: make test-engines does it")
    return ENGINES / name
