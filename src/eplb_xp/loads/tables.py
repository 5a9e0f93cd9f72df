"""Loads from .csv files, one row for each layer or one row for each load."""

import csv
import io
import math
from typing import Any, BinaryIO

from eplb_xp.loads.fields import UnfitError, listed
from eplb_xp.loads.formats import Numbers, array_of_numbers

INDICES = ("step", "layer", "expert")
COLUMNS = (*INDICES, "load")


def read_csv(file: BinaryIO) -> Numbers:
    """Loads of either form; which one, the first row says."""
    # Blank lines are empty rows; a row is named by its line in the file.
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, strict=True)
        rows = [(f"line {reader.line_num}", row) for row in reader if row]
    if not rows:
        raise UnfitError("the table is empty")
    header = [cell.strip().lower() for cell in rows[0][1]]
    if set(header) & set(COLUMNS):
        return _long(header, rows[1:])
    if all(_number(cell) is None for cell in header):
        if "" in header:
            raise UnfitError(f"the header has a column without a name, perhaps of row numbers: {listed(rows[0][1])}")
        rows = rows[1:]
    elif len(header) > 1 and header == [str(expert) for expert in range(len(header))]:
        raise UnfitError(
            "the first row counts 0, 1, 2, ...: if it is a header, name the columns otherwise or leave it out"
        )
    return _wide(len(header), rows)


def _wide(experts: int, rows: list[tuple[str, list[str]]]) -> Numbers:
    """One row for each layer, one column for each expert."""
    for line, row in rows:
        if len(row) != experts:
            raise UnfitError(f"rows must be of one length, but the first has {experts} cells and {line} has {len(row)}")
    return array_of_numbers([[_load(cell, line) for cell in row] for line, row in rows])


def _long(header: list[str], rows: list[tuple[str, list[str]]]) -> Numbers:
    """One row for each load, every step, layer and expert once."""
    if sorted(header) not in (sorted(COLUMNS), sorted(COLUMNS[1:])):
        raise UnfitError(f"columns must be layer, expert, load and perhaps step; found: {listed(header)}")
    loads: dict[tuple[int, ...], Any] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise UnfitError(f"there are {len(header)} columns, but {line} has {len(row)} cells")
        cells = dict(zip(header, row, strict=True))
        index = tuple(_index(cells.get(name, "0"), name, line) for name in INDICES)
        if index in loads:
            raise UnfitError(f"step {index[0]}, layer {index[1]}, expert {index[2]} is there twice, again at {line}")
        loads[index] = _load(cells["load"], line)
    # Checked before anything of that size is made.
    sizes = [max(numbers) + 1 for numbers in zip(*loads, strict=True)] or [0, 0, 0]
    if math.prod(sizes) != len(loads):
        named = " x ".join(map(str, sizes))
        raise UnfitError(f"{named} steps x layers x experts take a row each, zeros too; found {len(loads)} rows")
    return array_of_numbers([loads[index] for index in sorted(loads)]).reshape(sizes)


def _index(cell: str, name: str, line: str) -> int:
    number = _number(cell)
    if not isinstance(number, int) or number < 0:
        raise UnfitError(f"{name} must be a number from 0, got {cell[:30]!r} at {line}")
    return number


def _load(cell: str, line: str) -> int | float:
    number = _number(cell)
    if number is None:
        raise UnfitError(f"cells must be numbers, separated by commas, got {cell[:30]!r} at {line}")
    return number


def _number(cell: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            pass
    return None
