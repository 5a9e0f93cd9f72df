"""What is planned for: loads that can be made again."""

from typing import NamedTuple

import numpy as np

from tests.support.libraries import NumPyArray
from tests.support.loads import FAMILIES, batch

LAYERS, EXPERTS = 58, 256
TIMED_SEED = 0  # the same loads in every run, so that runs compare
LOGNORMAL, ZIPF = "lognormal .6", "zipf 1.2"  # what is timed unless others are named

# The baseline scales nothing, so sums overflow there, or loads that the planner counts as zero still count.
FAMILIES_OF_ORDINARY_SIZE = sorted({*FAMILIES} - {"geometric .5", "subnormal", "near the largest", "huge and tiny"})


class Loads(NamedTuple):
    """Loads of a family: [layers, experts] float32."""

    family: str
    seed: int

    def array(self) -> NumPyArray:
        """The loads themselves."""
        if self.family == LOGNORMAL:
            loads: NumPyArray = np.random.default_rng(self.seed).lognormal(5, 0.6, (LAYERS, EXPERTS))
            return loads.astype(np.float32)
        return batch(self.family, self.seed, LAYERS, EXPERTS)
