"""How the tests run ``eplb-xp plan``."""

from pathlib import Path
from typing import Any

import numpy as np

from eplb_xp.cli import main

SIZES: dict[str, Any] = {"num_replicas": 8, "num_groups": 2, "num_nodes": 2, "num_gpus": 4}
LOAD = np.array([[90, 132, 40, 61, 104, 165], [20, 107, 104, 64, 19, 197]])


def plan(file: Path, *more: str | Path, **sizes: Any) -> int:
    """``eplb-xp plan``, by default with sizes that work."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in {**SIZES, **sizes}.items()]
    return main(["plan", str(file), *options, *map(str, more)])
