"""The loads of an engine as NumPy's: what is no number of tokens is nobody's, because an error would end its EPLB."""

from typing import Any

import numpy as np

from eplb_xp.backends.standard import Standard
from eplb_xp.checks import LARGEST
from eplb_xp.engines import once
from eplb_xp.loads.samples import samples


def read(lib: Standard, weight: Any) -> "np.ndarray[Any, Any]":
    """Loads [layers, experts] or [steps, layers, experts] from any device; bad ones are zero, which is said once."""
    load = lib.to_numpy(weight)
    bad = ~((load >= 0) & (load <= LARGEST))
    if not bad.any():
        return load
    at = tuple(int(i) for i in np.unravel_index(np.argmax(bad), bad.shape))
    once.warn(
        "loads",
        "%d of %d loads are NaN, infinite or negative, the first %s at %s; such loads count as zero (said once)",
        *(np.count_nonzero(bad), bad.size, load[at], list(at)),
    )
    return np.where(bad, load.dtype.type(0), load)


def window(load: "np.ndarray[Any, Any]", number: int) -> "np.ndarray[Any, Any]":
    """What to plan for: a few samples of the steps, or [layers, experts] of one or none."""
    if load.ndim == 2:
        return load
    steps = load[load.any(axis=(1, 2))]
    number = min(number, len(steps))
    # As float64 sums of counts are exact below 2^53, and none wraps.
    summed = load.sum(axis=0, dtype=np.float64) if number < 2 else samples(steps, number)
    return np.minimum(summed, LARGEST)
