"""What is written down of each batch."""

from typing import Any

import numpy as np

from eplb_xp.simulation.arrays import Numbers

Row = dict[str, Any]


def by_gpu(row: Row) -> Numbers:
    """The tokens of the slots of each GPU [gpus, slots of a GPU]."""
    each: Numbers = np.reshape(row["slots"], (row["gpus"], -1))
    return each
