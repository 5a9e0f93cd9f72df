"""Tables in text, as SGLang's recorder of 2025, sglang-jax and pandas write them."""

import csv
import io

from eplb_xp.formats.fields import Numbers, UnfitError, array_of_numbers
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Kind, Source
from eplb_xp.formats.tables.cells import as_number, load_in
from eplb_xp.formats.tables.named import Row, read_named
from eplb_xp.formats.tables.plain import FEWEST, plain


def recognises(source: Source, _: Options) -> bool:
    """Any text that is nothing else."""
    return source.kind == Kind.text


def read(source: Source, options: Options) -> Recorded:
    """Loads in rows with or without a header; commas, semicolons or tabs between them."""
    index_column = options.index_column
    rows = rows_of(source.text)
    if not rows:
        raise UnfitError("the table is empty")
    header = [as_number(cell) for cell in rows[0][1]]
    if header[0] is None:
        return of_array(read_named(rows[0][1], rows[1:], index_column))
    if not index_column and _counts(header):
        raise UnfitError(
            f"the first row counts {header[0]}, {header[1]}, ...: if it is a header, leave it out; if it is loads, put "
            "a header above it, such as expert_0, expert_1, ..."
        )
    return plain(of_array(_numbers(rows)), index_column, least_rows=2)


def has_header(source: Source) -> bool:
    """Whether its columns have names."""
    rows = rows_of(source.text[: source.text.find("\n") + 1] or source.text)
    return not rows or as_number(rows[0][1][0]) is None


def matrix_of(text: str) -> Numbers:
    """Numbers without a header."""
    return _numbers(rows_of(text))


def _numbers(rows: list[Row]) -> Numbers:
    for line, row in rows:
        if len(row) != len(rows[0][1]):
            raise UnfitError(
                f"rows must be of one length, but the first has {len(rows[0][1])} cells and {line} has {len(row)}"
            )
    return array_of_numbers([[load_in(cell, line) for cell in row] for line, row in rows])


def _counts(numbers: list[int | float | None]) -> bool:
    """Whether a row counts from 0, or from 1 as far as hardly any loads do."""
    count = len(numbers)
    return (count > 1 and numbers == [*range(count)]) or (count >= FEWEST and numbers == [*range(1, count + 1)])


def rows_of(text: str) -> list[Row]:
    """The cells of each row that is not empty, named by its line in the file."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    mark = next((mark for mark in "\t;" if mark in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    return [(f"line {reader.line_num}", row) for row in reader if row]
