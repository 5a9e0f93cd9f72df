"""Loads from PyTorch's .pt files."""

import pickle
import warnings
import zipfile
from typing import Any

import numpy as np
import torch

from eplb_xp.backends.torch import LIBRARY
from eplb_xp.loads.fields import UnfitError, name_of_loads


def read_tensor(path: str) -> np.ndarray[Any, Any]:
    """The tensor of a file, or the one under ``load`` or ``logical_count`` of a dict, in host memory."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickles, which end in an error anyway
            # Only archives can be mapped, and then only what is used is read.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise UnfitError(
            "no .pt file of tensors and plain values alone; others could run code, so none is read"
        ) from error
    if isinstance(content, dict):
        content = content[name_of_loads(content, "a tensor 'load' or 'logical_count'")]
    if not isinstance(content, torch.Tensor):
        raise UnfitError(
            f"there must be a tensor, or a dict with one under 'load' or 'logical_count', got {type(content).__name__}"
        )
    return LIBRARY.to_numpy(content)
