"""Recorded loads from files."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from eplb_xp.formats.loads import recorded
from eplb_xp.formats.loads.choosing import chosen
from eplb_xp.formats.loads.options import Options
from eplb_xp.sizes import check_integer


def read(
    path: str | os.PathLike[str],
    *,
    steps: slice = slice(None),
    layers: slice = slice(None),
    sum_steps: bool = False,
    index_column: bool | None = None,
    num_layers: int | None = None,
) -> np.ndarray[Any, Any]:
    r"""Read recorded loads.

    What a file holds is told by its content, whatever its ending:

    ============== ====================================================================================
    NumPy's array  .npy; or .npz with an array ``load`` or ``logical_count``, or only one beside texts
    nested lists   .json, by themselves or under ``load`` or ``logical_count`` of an object; or a table
                   as in .csv: a list of objects, or what else pandas' ``to_json`` writes
    table          .csv: a row for each layer and a column for each expert, perhaps below ``expert_0``,
                   ``expert_1``, ... (or ``e0``, ...), perhaps with a column ``layer`` in front; or
                   columns ``layer``, ``expert``, ``load`` and perhaps ``step``, a row for each load
    trace          .npz, as `save` writes it
    tensor         .pt, by itself or under ``load`` or ``logical_count`` of a dict, as SGLang's
                   recorder writes it in mode ``stat``; takes PyTorch
    engines' own   SGLang's recorder in modes ``per_pass`` and ``per_token``, sglang-jax, vLLM,
                   TensorRT-LLM, Megatron-core, MindIE, omni-infer, DLBlas, ``load_history``
    ============== ====================================================================================

    The page Files has every layout. In a folder each file is of a rank, and all ranks are summed. Counts of slots are
    folded with the map that stands beside them.

    The last two axes are layers and logical experts; all axes before them become one, steps. No code in a file is run,
    and only the steps and layers that are chosen are checked.

    In tables, commas, semicolons or tabs part the columns, which may have other usual names: ``layer_id``, ``Expert
    ID``, ``count``, ``tokens``, ``num_tokens``. Steps, layers and experts are numbered from 0, rows are in any order,
    what has no row is zero, and the largest numbers say how many there are. Other headers are refused.

    Parameters
    ----------
    path : str or path
        The file, or a folder with a file of each rank.
    steps, layers : slice
        Which steps and layers, as in ``load[steps, layers]``; all by default.
    sum_steps : bool
        Whether the steps are added up.
    index_column : bool, optional
        Whether the first column numbers the rows, as in what pandas' ``to_csv`` writes by default. It is left out if
        so, and read as loads if not. By default a first column that counts the rows from 0 or from 1 is refused, and
        so are arrays that seem to have rows of layer, expert and load.
    num_layers : int, optional
        How many rows a step has in MindIE's tables, where nothing else says it.

    Returns
    -------
    [steps, layers, experts], or [layers, experts] where steps are added up
        int64 where the file has integers, else float64.

    Raises
    ------
    OSError
        Where the file can't be opened.
    TypeError
        Where ``steps`` or ``layers`` is no slice, ``num_layers`` no integer, or ``index_column`` neither a truth value
        nor None.
    ValueError
        Where the file holds no loads, or columns that may be none, or loads that are negative, NaN or above the largest
        float32, or has none of the steps or layers, where ranks of a folder don't belong together, or where a library
        that it takes is missing. The message names the file, what was found and what was expected.

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
    for name, which in (("steps", steps), ("layers", layers)):
        if not isinstance(which, slice):
            raise TypeError(f"{name} must be a slice, such as slice(10, None), got {which!r}")
    if index_column not in (None, True, False):
        raise TypeError(f"index_column must be True, False or None, got {index_column!r}")
    if num_layers is not None:
        check_integer("num_layers", num_layers)
    with recorded(Path(path), Options(index_column, num_layers)) as found:
        some = chosen(found, steps, layers)
        return some.summed() if sum_steps else some.together()
