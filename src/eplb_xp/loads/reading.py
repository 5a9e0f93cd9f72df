"""Recorded loads from files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from eplb_xp.loads.files.choosing import by_step, chosen
from eplb_xp.loads.files.fields import Numbers, UnfitError
from eplb_xp.loads.files.formats import read_json, read_npy, read_npz
from eplb_xp.loads.files.plain import plain
from eplb_xp.loads.files.tables import read_csv

Reader: TypeAlias = Callable[[BinaryIO, bool | None], Numbers]


def read(
    path: str | os.PathLike[str],
    *,
    steps: slice = slice(None),
    layers: slice = slice(None),
    sum_steps: bool = False,
    index_column: bool | None = None,
) -> np.ndarray[Any, Any]:
    r"""Read recorded loads.

    What a file may hold, by its ending:

    ========= ==========================================================================================
    ``.npy``  an array
    ``.npz``  an array ``load`` or ``logical_count``, or only one array beside texts
    ``.json`` nested lists, or an object with them under ``load`` or ``logical_count``; or a table as
              in .csv: a list of objects, or what else pandas' ``to_json`` writes
    ``.csv``  a row for each layer and a column for each expert, perhaps below ``expert_0``,
              ``expert_1``, ... (or ``e0``, ...), perhaps with a column ``layer`` in front; or a table
              with columns ``layer``, ``expert``, ``load`` and perhaps ``step``, a row for each load
    ``.pt``   a tensor, or a dict with one under ``load`` or ``logical_count``, as SGLang's expert
              distribution recorder writes it in mode ``stat``; takes PyTorch
    ========= ==========================================================================================

    The last two axes are layers and logical experts; all axes before them become one, steps. No code in a file is run,
    and only the steps and layers that are chosen are checked.

    In tables, commas, semicolons or tabs part the columns, which may have other usual names: ``layer_id``, ``Expert
    ID``, ``count``, ``tokens``, ``num_tokens``. Steps, layers and experts are numbered from 0, rows are in any order,
    what has no row is zero, and the largest numbers say how many there are. Other headers are refused.

    Parameters
    ----------
    path : str or path
        The file.
    steps, layers : slice
        Which steps and layers, as in ``load[steps, layers]``; all by default.
    sum_steps : bool
        Whether the steps are added up.
    index_column : bool, optional
        Whether the first column numbers the rows, as in what pandas' ``to_csv`` writes by default. It is left out if
        so, and read as loads if not. By default a first column that counts the rows from 0 or from 1 is refused, and
        so are arrays that seem to have rows of layer, expert and load.

    Returns
    -------
    [steps, layers, experts], or [layers, experts] where steps are added up
        int64 where the file has integers, else float64.

    Raises
    ------
    OSError
        Where the file can't be opened.
    TypeError
        Where ``steps`` or ``layers`` is no slice, or ``index_column`` neither a truth value nor None.
    ValueError
        Where the file holds no loads, or columns that may be none, or loads that are negative, NaN or above the largest
        float32, or has none of the steps or layers, or where PyTorch is missing. The message names the file, what was
        found and what was expected.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "loads.csv")
    >>> _ = path.write_text("90,132,40\n20,107,104\n")
    >>> read(path)
    array([[[ 90, 132,  40],
            [ 20, 107, 104]]])
    >>> _ = path.write_text("layer_id,expert_id,count\n0,2,40\n1,0,20\n")
    >>> read(path, sum_steps=True)
    array([[ 0,  0, 40],
           [20,  0,  0]])
    >>> folder.cleanup()
    """
    return read_part(path, steps=steps, layers=layers, sum_steps=sum_steps, index_column=index_column)[0]


def read_part(
    path: str | os.PathLike[str], *, steps: slice, layers: slice, sum_steps: bool, index_column: bool | None
) -> tuple[Numbers, int]:
    """The chosen steps and layers, and how many layers the file has."""
    for name, which in (("steps", steps), ("layers", layers)):
        if not isinstance(which, slice):
            raise TypeError(f"{name} must be a slice, such as slice(10, None), got {which!r}")
    if index_column not in (None, True, False):
        raise TypeError(f"index_column must be True, False or None, got {index_column!r}")
    path = Path(path)
    try:
        load = by_step(_content(path, index_column))
        return chosen(load, steps, layers, sum_steps=sum_steps), load.shape[1]
    except UnfitError as error:
        raise ValueError(f"{path}: {error}") from error


def _content(path: Path, index_column: bool | None) -> Numbers:
    """The array of a file, whatever it is of."""
    if path.suffix not in READERS:
        raise UnfitError(f"loads are read from {', '.join(READERS)} files, by their ending")
    with path.open("rb") as file:
        try:
            return _read(READERS[path.suffix], file, index_column)
        except UnfitError:
            raise
        except Exception as error:  # a broken file makes NumPy, zipfile, zlib and torch raise nearly anything
            raise UnfitError(f"no {path.suffix} file of plain numbers: {error}") from error


def _read(reader: Reader, file: BinaryIO, index_column: bool | None) -> Numbers:
    """What a reader finds, in a few tries: before Python 3.11.8 threads disturb each other's parser (gh-106905).

    NumPy reads headers of arrays by it.
    """
    for _ in range(8):
        try:
            return reader(file, index_column)
        except SystemError:
            file.seek(0)
    return reader(file, index_column)


def _read_pt(file: BinaryIO, index_column: bool | None) -> Numbers:
    try:
        from eplb_xp.backends.tensors import files  # noqa: PLC0415  torch takes seconds
    except ImportError as error:
        raise UnfitError(
            f'.pt files take PyTorch, which can\'t be imported ({error}): pip install "eplb-xp[torch]"'
        ) from error
    return plain(files.read_tensor(file.name), index_column)


READERS: dict[str, Reader] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".json": read_json,
    ".csv": read_csv,
    ".pt": _read_pt,
}
