"""Recorded loads from files."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from eplb_xp.checks import LARGEST
from eplb_xp.loads.fields import UnfitError
from eplb_xp.loads.formats import Numbers, read_json, read_npy, read_npz
from eplb_xp.loads.tables import read_csv

INT64 = 2.0**63 - 1024  # the largest float64 that is an int64


def read(path: str | os.PathLike[str], *, steps: slice = slice(None), sum_steps: bool = False) -> np.ndarray[Any, Any]:
    r"""Read recorded loads.

    What a file may hold, by its ending:

    ========= ==========================================================================================
    ``.npy``  an array
    ``.npz``  an array ``load`` or ``logical_count``, or only one array beside texts
    ``.json`` nested lists, or an object with them under ``load`` or ``logical_count``
    ``.csv``  numbers, a row for each layer and a column for each expert, perhaps below a row of names;
              or a table with columns ``layer``, ``expert``, ``load`` and perhaps ``step``, numbered from
              0, in any order, with a row for every load, zeros too
    ``.pt``   a tensor, or a dict with one under ``load`` or ``logical_count``, as SGLang's expert
              distribution recorder writes it in mode ``stat``; takes PyTorch
    ========= ==========================================================================================

    The last two axes are layers and logical experts; all axes before them become one, steps. No code in a file is run,
    and only the steps that are chosen are checked.

    Parameters
    ----------
    path : str or path
        The file.
    steps : slice
        Which steps, as in ``load[steps]``; all by default.
    sum_steps : bool
        Whether the steps are added up.

    Returns
    -------
    [steps, layers, experts], or [layers, experts] where steps are added up
        int64 where the file has integers, else float64.

    Raises
    ------
    OSError
        Where the file can't be opened.
    TypeError
        Where ``steps`` is no slice.
    ValueError
        Where the file holds no loads, or loads that are negative, NaN or above the largest float32, or has none of the
        steps, or where PyTorch is missing. The message names the file, what was found and what was expected.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "loads.csv")
    >>> _ = path.write_text("90,132,40\n20,107,104\n")
    >>> read(path)
    array([[[ 90, 132,  40],
            [ 20, 107, 104]]])
    >>> folder.cleanup()
    """
    if not isinstance(steps, slice):
        raise TypeError(f"steps must be a slice, such as slice(10, None), got {steps!r}")
    path = Path(path)
    try:
        return _chosen(_content(path), steps, sum_steps)
    except UnfitError as error:
        raise ValueError(f"{path}: {error}") from error


def _content(path: Path) -> Numbers:
    """The array of a file, whatever it is of."""
    if path.suffix not in READERS:
        raise UnfitError(f"loads are read from {', '.join(READERS)} files, by their ending")
    with path.open("rb") as file:
        try:
            return READERS[path.suffix](file)
        except UnfitError:
            raise
        except Exception as error:  # a broken file makes NumPy, zipfile, zlib and torch raise nearly anything
            raise UnfitError(f"no {path.suffix} file of plain numbers: {error}") from error


def _read_pt(file: BinaryIO) -> Numbers:
    try:
        from eplb_xp.backends import torch_files  # noqa: PLC0415  torch takes seconds
    except ImportError as error:
        raise UnfitError(
            f'.pt files take PyTorch, which can\'t be imported ({error}): pip install "eplb-xp[torch]"'
        ) from error
    return torch_files.read_tensor(file.name)


READERS: dict[str, Callable[[BinaryIO], Numbers]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".json": read_json,
    ".csv": read_csv,
    ".pt": _read_pt,
}


def _chosen(load: Numbers, steps: slice, sum_steps: bool) -> Numbers:
    """The loads of the chosen steps, checked, in memory of their own."""
    if load.dtype.kind not in "iuf":
        raise UnfitError(f"loads must be integers or real floats, got dtype {load.dtype}")
    if load.ndim < 2:
        raise UnfitError(f"loads must be [layers, experts], perhaps with time or domain before, got shape {load.shape}")
    if load.size == 0:
        raise UnfitError(f"there must be at least one step, layer and expert, got shape {load.shape}")
    load = load.reshape(-1, *load.shape[-2:])
    numbers = range(len(load))[steps]
    if not numbers:
        bounds = (steps.start, steps.stop, steps.step)[: 2 if steps.step is None else 3]
        chosen = ":".join("" if bound is None else str(bound) for bound in bounds)
        there = "is 1 step" if len(load) == 1 else f"are {len(load)} steps"
        raise UnfitError(f"there {there}, and none of them is in {chosen}")
    integers = load.dtype.kind in "iu"
    load = load[steps]
    _check_values(load, INT64 if integers else LARGEST, numbers)
    load = np.array(load, dtype=np.int64 if integers else np.float64, order="C")
    if sum_steps:
        # First as floats: a sum beyond int64 would wrap.
        _check_values(load.sum(axis=0, dtype=np.float64), INT64 if integers else LARGEST)
        load = load.sum(axis=0)
    return load


def _check_values(load: Numbers, most: float, numbers: Sequence[int] = ()) -> None:
    """Refuse what no token count is, in steps of these numbers, or in their sum."""
    largest = np.float64(most)  # NumPy's own float widens float16
    if load.min() >= 0 and load.max() <= largest:  # not so where one is NaN
        return
    bad = ~((load >= 0) & (load <= largest))
    first = tuple(np.argwhere(bad)[0])
    place = [f"layer {first[-2]}, expert {first[-1]}"]
    place[:0] = [f"step {numbers[first[0]]}"] if numbers else ["the sum of the steps"]
    raise UnfitError(
        f"loads are token counts, but {np.count_nonzero(bad)} of them are negative, NaN or above {most:.4g}, "
        f"the first {load[first]} in {', '.join(place)}"
    )
