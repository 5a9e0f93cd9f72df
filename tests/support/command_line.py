"""How the tests run ``eplb-xp``."""

import json
import os
import re
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from eplb_xp.cli import main

SIZES: dict[str, Any] = {"num_replicas": 8, "num_groups": 2, "num_nodes": 2, "num_gpus": 4}
LOAD = np.array([[90, 132, 40, 61, 104, 165], [20, 107, 104, 64, 19, 197]])


def run(*args: str | Path) -> int:
    """``eplb-xp`` in a narrow terminal, whatever the one that the tests run in."""
    with mock.patch.dict(os.environ, COLUMNS="80"):
        return main([*map(str, args)])


def plan(file: Path, *more: str | Path, **sizes: Any) -> int:
    """``eplb-xp plan``, by default with sizes that work."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in {**SIZES, **sizes}.items()]
    return run("plan", file, *options, *more)


def rows(table: str) -> dict[str, list[str]]:
    """The cells of a table by their row."""
    cells = [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()]
    return {line[0]: line[1:] for line in cells if len(line) > 2}


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON that was printed, and nothing else."""
    out, err = capsys.readouterr()
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found
