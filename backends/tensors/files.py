"""PyTorch's .pt files: tensors and plain values, without code and without more memory than they hold."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from eplb_xp.backends.tensors.library import LIBRARY
from eplb_xp.formats.fields import UnfitError

NOT_PLAIN = "no .pt file of tensors and plain values alone; others could run code, so none is read"
PROTOCOL = 3  # torch's loader of plain values knows no instruction of later ones


def read(path: str) -> Any:
    """What torch.save wrote: tensors, and lists and dicts of them and of plain values."""
    is_archive = zipfile.is_zipfile(path)
    _check_form(path, is_archive)
    try:
        # Only archives can be mapped, and then only what is used is read.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        raise UnfitError(NOT_PLAIN) from error


def array(value: Any) -> Any:
    """A tensor of a file in host memory; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.layout is torch.strided and value.device.type == "cpu":
        there = value.untyped_storage().nbytes()
        if value.numel() * value.element_size() > there:
            raise UnfitError(
                f"a tensor of shape {tuple(value.shape)} says that it has {value.numel()} values, and there are "
                f"{there // value.element_size()}"
            )
    return LIBRARY.to_numpy(value)


def write(path: str, content: Any) -> None:
    """Save an array as a tensor, or a dict of arrays as one of tensors, which any torch.load takes."""
    named = {name: torch.from_numpy(each) for name, each in content.items()} if isinstance(content, dict) else None
    made = io.BytesIO()  # to a full disk torch would write with an error of its own
    torch.save(torch.from_numpy(content) if named is None else named, made)
    Path(path).write_bytes(made.getvalue())


def _check_form(path: str, is_archive: bool) -> None:
    """Refuse what torch.load warns of before it refuses: to silence a warning changes the filters of all threads."""
    if not is_archive:
        with open(path, "rb") as file:
            _check_protocol(file.read(2))
        return
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            if part.file_size != part.compress_size:
                raise UnfitError(f"{NOT_PLAIN}: {part.filename[:60]} is compressed, and torch.save compresses nothing")
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
