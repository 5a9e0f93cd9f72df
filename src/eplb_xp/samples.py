"""Loads of several samples: what they must be, and how they go to the algorithms."""

from typing import Any

import numpy as np

from eplb_xp.algorithms.following import samples
from eplb_xp.backends.standard import Standard
from eplb_xp.given import check_library


def by_layer(lib: Standard, weight: Any) -> Any:
    """Loads [layers, experts] or [samples, layers, experts] as [layers, samples, experts]."""
    return weight[:, None, :] if len(weight.shape) == 2 else lib.xp.permute_dims(weight, (1, 0, 2))


def weighed(lib: Standard, sample_weights: Any, weight: Any) -> Any:
    """Loads [layers, samples, experts] times the weights of their samples, if they have any, but for a factor."""
    if sample_weights is None:
        return weight
    layers, number, _ = weight.shape
    check_library(lib, "sample_weights", sample_weights, weight)
    if not lib.is_real(sample_weights):
        raise TypeError(f"sample_weights must be of integers or real floats, got dtype {sample_weights.dtype}")
    shape = tuple(sample_weights.shape)
    if shape != (number,):
        raise ValueError(f"sample_weights must have shape [samples], here ({number},), got {shape}")
    if lib.is_readable(sample_weights):
        values = lib.to_numpy(sample_weights)
        wrong = ~((values >= 0) & (values < np.inf))
        if wrong.any():
            at = wrong.argmax()
            raise ValueError(f"sample_weights must be finite and not negative, got {values[at]} at [{at}]")
    importance = lib.xp.broadcast_to(lib.float32(sample_weights)[None, :], (layers, number))
    (load,) = lib.run(samples.weighed, importance, weight)
    return load
