"""Loads from PyTorch's .pt files."""

import pickle
import zipfile
from typing import Any

import numpy as np
import torch

from eplb_xp.backends.torch import LIBRARY
from eplb_xp.loads.files.fields import UnfitError, name_of_loads

NOT_PLAIN = "no .pt file of tensors and plain values alone; others could run code, so none is read"
PROTOCOL = 3  # torch's loader of plain values knows no instruction of later ones


def read_tensor(path: str) -> np.ndarray[Any, Any]:
    """The tensor of a file, or the one under ``load`` or ``logical_count`` of a dict, in host memory."""
    is_archive = zipfile.is_zipfile(path)
    _check_form(path, is_archive)
    try:
        # Only archives can be mapped, and then only what is used is read.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        raise UnfitError(NOT_PLAIN) from error
    if isinstance(content, dict):
        content = content[name_of_loads(content, "a tensor 'load' or 'logical_count'")]
    if not isinstance(content, torch.Tensor):
        raise UnfitError(
            f"there must be a tensor, or a dict with one under 'load' or 'logical_count', got {type(content).__name__}"
        )
    return LIBRARY.to_numpy(content)


def _check_form(path: str, is_archive: bool) -> None:
    """Refuse what torch.load warns of before it refuses: to silence a warning changes the filters of all threads."""
    if not is_archive:
        with open(path, "rb") as file:
            _check_protocol(file.read(2))
        return
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2]: name for name in archive.namelist()}
        if "constants.pkl" in names:
            raise UnfitError(f"{NOT_PLAIN}: it is an archive of TorchScript")
        if "data.pkl" in names:
            with archive.open(names["data.pkl"]) as file:
                _check_protocol(file.read(2))


def _check_protocol(start: bytes) -> None:
    """Refuse pickles of a protocol that could be read only by running code; before protocol 2 none is named."""
    if start[:1] == pickle.PROTO and start[1:] > bytes([PROTOCOL]):
        raise UnfitError(f"{NOT_PLAIN}: it is a pickle of protocol {start[1]}, and torch.save writes protocol 2")
