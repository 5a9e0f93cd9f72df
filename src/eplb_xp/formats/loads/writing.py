"""Loads in eplb-xp's own .npz, written a step at a time."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eplb_xp.formats.loads.choosing import Chosen

NAME = "load.npy"


class Form(NamedTuple):
    """What all steps together are."""

    shape: tuple[int, int, int]  # steps, layers, experts
    dtype: type[np.int64] | type[np.float64]


def form_of(some: Chosen, announce: Callable[[str], None]) -> Form:
    """What is to be written, once every step was read and is fit."""
    layers, experts, has_floats = 0, 0, False
    for load in some.each(announce):
        layers, experts = load.shape
        has_floats |= load.dtype.kind == "f"
    return Form((len(some.steps), layers, experts), np.float64 if has_floats else np.int64)


def write(path: Path, some: Chosen, form: Form, announce: Callable[[str], None]) -> None:
    """The chosen steps and layers as ``load``."""
    descr = np.lib.format.dtype_to_descr(np.dtype(form.dtype))
    head = {"descr": descr, "fortran_order": False, "shape": form.shape}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(NAME, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, head)
        for load in some.each(announce):
            file.write(load.astype(form.dtype, copy=False).tobytes())
