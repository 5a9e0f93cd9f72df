"""Loads from .csv files."""

import csv
import io
from typing import BinaryIO

from eplb_xp.loads.files.cells import as_number, load_in
from eplb_xp.loads.files.fields import Numbers, UnfitError, array_of_numbers
from eplb_xp.loads.files.named import Row, read_named
from eplb_xp.loads.files.plain import FEWEST, plain


def read_csv(file: BinaryIO, index_column: bool | None) -> Numbers:
    """Loads in rows with or without a header; commas, semicolons or tabs between them."""
    rows = _rows(file.read().decode("utf-8-sig"))
    if not rows:
        raise UnfitError("the table is empty")
    header = [as_number(cell) for cell in rows[0][1]]
    if header[0] is None:
        return read_named(rows[0][1], rows[1:], index_column)
    for line, row in rows:
        if len(row) != len(header):
            raise UnfitError(
                f"rows must be of one length, but the first has {len(header)} cells and {line} has {len(row)}"
            )
    if not index_column and _counts(header):
        raise UnfitError(
            f"the first row counts {header[0]}, {header[1]}, ...: if it is a header, leave it out; if it is loads, put "
            "a header above it, such as expert_0, expert_1, ..."
        )
    loads = array_of_numbers([[load_in(cell, line) for cell in row] for line, row in rows])
    return plain(loads, index_column, least_rows=2)


def _counts(numbers: list[int | float | None]) -> bool:
    """Whether a row counts from 0, or from 1 as far as hardly any loads do."""
    count = len(numbers)
    return (count > 1 and numbers == [*range(count)]) or (count >= FEWEST and numbers == [*range(1, count + 1)])


def _rows(text: str) -> list[Row]:
    """The cells of each row that is not empty, named by its line in the file."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    mark = next((mark for mark in "\t;" if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    return [(f"line {reader.line_num}", row) for row in reader if row]
