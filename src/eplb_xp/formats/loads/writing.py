"""Loads in eplb-xp's own .npz, a trace, written a step at a time."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eplb_xp.formats.loads.choosing import Chosen, nothing
from eplb_xp.formats.loads.trace import LOAD, SCHEMA
from eplb_xp.formats.loads.trace_fields import Fields


class Form(NamedTuple):
    """What all steps together are."""

    shape: tuple[int, int, int]  # steps, layers, experts
    dtype: np.dtype[Any]  # the smallest of unsigned integers, or float32


def form_of(some: Chosen, announce: Callable[[str], None] = nothing) -> Form:
    """What is to be written, once every step was read and is fit."""
    layers, experts, most, has_floats = 0, 0, 0, False
    for load in some.each(announce):
        layers, experts = load.shape
        has_floats |= load.dtype.kind == "f"
        most = max(most, 0 if has_floats else int(load.max()))
    return Form((len(some.steps), layers, experts), np.dtype(np.float32) if has_floats else np.min_scalar_type(most))


def write(path: Path, some: Chosen, form: Form, fields: Fields, announce: Callable[[str], None] = nothing) -> None:
    """The chosen steps and layers as ``load``, and what is said of them."""
    head = {"descr": np.lib.format.dtype_to_descr(form.dtype), "fortran_order": False, "shape": form.shape}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"{LOAD}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, head)
            for load in some.each(announce):
                file.write(load.astype(form.dtype, copy=False).tobytes())
        for name, value in {"schema": np.asarray(SCHEMA), **fields.of_layers(some.layers).arrays()}.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, value, allow_pickle=False)
