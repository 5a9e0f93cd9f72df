"""Arrays without names: a first column that only counts rows, and rows of layer, expert and load."""

import math

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError
from eplb_xp.formats.loads.recorded import Recorded

FEWEST = 8  # numbers of layers and experts; loads hardly ever look like so many
LARGEST_INDEX = 2**20


def plain(recorded: Recorded, index_column: bool | None, *, least_rows: int = 3) -> Recorded:
    """The loads as they are, or without the first column; refused where some columns seem to be no loads."""
    if index_column:
        return recorded._replace(step=lambda number: recorded.step(number)[:, 1:])
    if index_column is None:
        first = recorded.step(0)
        if counts_rows(first, least_rows) and all(
            counts_rows(recorded.step(number), least_rows) for number in range(1, recorded.num_steps)
        ):
            refuse_first_column(first)
        if recorded.num_steps == 1:
            _check_rows(first)
    return recorded


def counts_rows(load: Numbers, least_rows: int) -> bool:
    """Whether the first column of [layers, experts] counts the layers, from 0 or from 1."""
    first, layers = load[:, 0], len(load)
    return layers >= least_rows and any((first == np.arange(start, start + layers)).all() for start in (0, 1))


def refuse_first_column(load: Numbers) -> None:
    """Say what such a column is, and how it is read."""
    layers, experts = load.shape
    start = int(load[0, 0])
    raise UnfitError(
        f"the first of {experts} columns counts {start}, {start + 1}, {start + 2}, ... over {layers} rows, as "
        "row numbers do, which pandas' to_csv writes unless it gets index=False: index_column=True leaves it "
        "out, index_column=False reads it as loads"
    )


def _check_rows(load: Numbers) -> None:
    """Refuse rows of layer, expert and load, perhaps with a step before; no model has three or four experts."""
    rows, columns = load.shape
    if columns not in (3, 4) or rows < 2:
        return
    numbers = load[:, :-1].astype(np.float64)
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
