"""Loads into a file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eplb_xp.formats.loads.choosing import chosen
from eplb_xp.formats.loads.recorded import of_array
from eplb_xp.formats.loads.trace_fields import checked
from eplb_xp.formats.loads.writing import form_of, write


def save(
    path: str | os.PathLike[str],
    trace: np.ndarray[Any, Any],
    *,
    model: str | None = None,
    note: str | None = None,
    source: str | None = None,
    layer_numbers: Sequence[int] | None = None,
    top_k: int | None = None,
) -> None:
    """Write a trace, which `read` and every command read.

    A .npz of plain arrays: ``load``, in the smallest unsigned integers that hold it, or in float32 where it has floats;
    ``schema``, 1; and what else is given, under its own name.

    Parameters
    ----------
    path : str or path
        A file that ends in .npz; one that is there is written over.
    trace : [steps, layers, experts], integers or floats
        Tokens for each logical expert, the oldest step first. A step is whatever was counted at once.
    model, note, source : str, optional
        Which model, what readers should know, where it comes from.
    layer_numbers : [layers] integers, optional
        The model's number of each layer. Reading leaves layers where they are.
    top_k : int, optional
        Experts that a token goes to.

    Raises
    ------
    OSError
        Where the file can't be written.
    ValueError
        Where the path ends otherwise, ``trace`` has not three axes, one of them is empty, it isn't of numbers, or has
        loads that are negative, NaN or above the largest float32; or where what else is given is no text, not whole
        numbers, or doesn't fit the layers and experts. Nothing is written then.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from eplb_xp import loads
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "trace.npz")
    >>> save(path, np.array([[[3, 1], [0, 4]]]), model="two layers", layer_numbers=[1, 2], top_k=1)
    >>> loads.read(path)
    array([[[3, 1],
            [0, 4]]])
    >>> with np.load(path) as arrays:
    ...     print(arrays["load"].dtype, arrays["schema"], arrays["model"])
    uint8 1 two layers
    >>> folder.cleanup()
    """
    target = Path(path)
    if target.suffix != ".npz":
        raise ValueError(f"a trace's file must end in .npz, got {target}")
    load = np.asarray(trace)
    if load.ndim != 3 or load.size == 0:
        raise ValueError(f"trace must be [steps, layers, experts], none of them 0, got shape {load.shape}")
    fields = checked(*load.shape[1:], model=model, note=note, source=source, layer_numbers=layer_numbers, top_k=top_k)
    some = chosen(of_array(load), slice(None), slice(None))
    write(target, some, form_of(some), fields)
