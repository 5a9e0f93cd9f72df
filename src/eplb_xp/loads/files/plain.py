"""Arrays without names: a first column that only counts rows, and rows of layer, expert and load."""

import math

import numpy as np

from eplb_xp.loads.files.fields import Numbers, UnfitError

FEWEST = 8  # numbers of layers and experts; loads hardly ever look like so many
LARGEST_INDEX = 2**20


def plain(load: Numbers, index_column: bool | None, *, least_rows: int = 3) -> Numbers:
    """The loads as they are, or without the first column; refused where some columns seem to be no loads."""
    if load.ndim < 2 or load.size == 0 or load.dtype.kind not in "iuf":
        return load  # refused later, in words of its own
    if index_column:
        return load[..., 1:]
    if index_column is None:
        check_first_column(load, least_rows)
        _check_rows(load)
    return load


def check_first_column(load: Numbers, least_rows: int) -> None:
    """Refuse a first column that counts the layers, in every step."""
    layers, experts = load.shape[-2:]
    first = load[(0,) * (load.ndim - 2)][:, 0]  # of one step, so that mapped files are not read for nothing
    for start in (0, 1):
        counting = np.arange(start, start + layers)
        if layers >= least_rows and (first == counting).all() and (load[..., 0] == counting).all():
            raise UnfitError(
                f"the first of {experts} columns counts {start}, {start + 1}, {start + 2}, ... over {layers} rows, as "
                "row numbers do, which pandas' to_csv writes unless it gets index=False: index_column=True leaves it "
                "out, index_column=False reads it as loads"
            )


def _check_rows(load: Numbers) -> None:
    """Refuse rows of layer, expert and load, perhaps with a step before; no model has three or four experts."""
    rows, columns = load.shape[-2:]
    if load.size != rows * columns or columns not in (3, 4) or rows < 2:
        return
    numbers = load.reshape(rows, columns)[:, :-1].astype(np.float64)
    if not ((numbers >= 0) & (numbers < LARGEST_INDEX)).all() or (numbers != np.floor(numbers)).any():
        return
    numbers = numbers.astype(np.int64)
    if len(np.unique(numbers, axis=0)) == rows and (_in_order(numbers) or _fills_a_grid(numbers)):
        raise UnfitError(
            f"the {rows} rows of {columns} seem to be {'step, ' * (columns - 3)}layer, expert and load, not loads of "
            f"{columns} experts: give [layers, experts], or a table with a header; index_column=False reads them as "
            "loads"
        )


def _in_order(numbers: Numbers) -> bool:
    """Whether many rows go through the experts of one layer after the other."""
    rows = len(numbers)
    several = len(np.unique(numbers[:, :-1], axis=0)) < rows
    return rows >= FEWEST and several and np.array_equal(np.lexsort(numbers.T[::-1]), np.arange(rows))


def _fills_a_grid(numbers: Numbers) -> bool:
    """Whether the rows are all there are between the least and the largest numbers, or half of many."""
    least, most = numbers.min(axis=0), numbers.max(axis=0)
    rows, grid = len(numbers), math.prod((most - least + 1).tolist())
    return int(least[-1]) in (0, 1) and (rows == grid or (rows >= FEWEST and 2 * rows >= grid))
