"""Loads from a table whose columns have names."""

from typing import Any, TypeAlias

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError, array_of_numbers, listed
from eplb_xp.formats.tables.cells import index_in, load_in
from eplb_xp.formats.tables.names import INDICES, ROW_NUMBER, experts_of, meaning
from eplb_xp.formats.tables.placing import check_numbering, placed
from eplb_xp.formats.tables.plain import counts_rows, refuse_first_column

Row: TypeAlias = tuple[str, list[Any]]  # where it stands, and its cells


def read_named(header: list[Any], rows: list[Row], index_column: bool | None) -> Numbers:
    """A row for each load, or one for each layer, as the names say."""
    for where, row in rows:
        if len(row) != len(header):
            raise UnfitError(f"there are {len(header)} columns, but {where} has {len(row)} cells")
    if index_column:
        header, rows = _without_first(header, rows)
    # Where others are named, a first column of row numbers is known for what it is.
    known = index_column or {"layer", "expert"} & set(map(meaning, header))
    while known and header and meaning(header[0]) == ROW_NUMBER:
        header, rows = _without_first(header, rows)
    columns = [meaning(name) for name in header]
    if {"expert", "load"} & set(columns):
        return _by_load(header, columns, rows)
    if columns[:1] == [ROW_NUMBER] and index_column is None:
        raise UnfitError(
            f"the first column has no name, or one of row numbers: {listed(header)}; pandas' to_csv writes such a "
            "column unless it gets index=False: index_column=True leaves it out, index_column=False reads "
            "it as loads"
        )
    return _by_layer(header, columns, rows, index_column)


def _without_first(header: list[Any], rows: list[Row]) -> tuple[list[Any], list[Row]]:
    return header[1:], [(where, row[1:]) for where, row in rows]


def _by_load(header: list[Any], columns: list[str | None], rows: list[Row]) -> Numbers:
    """One row for each load, in any order; what has no row is zero."""
    wanted = sorted([*INDICES, "load"])
    if sorted(map(str, columns)) not in (wanted, sorted(set(wanted) - {"step"})):
        raise UnfitError(f"columns must be layer, expert, load and perhaps step; found: {listed(header)}")
    table = [(where, dict(zip(columns, row, strict=True))) for where, row in rows]
    places = [(where, tuple(index_in(cells.get(name, 0), name, where) for name in INDICES)) for where, cells in table]
    loads = array_of_numbers([load_in(cells["load"], where) for where, cells in table])
    load = placed(places, loads)
    check_numbering([place for _, place in places])
    return load


def _by_layer(header: list[Any], columns: list[str | None], rows: list[Row], index_column: bool | None) -> Numbers:
    """One row for each layer, in order or numbered; one column for each expert."""
    names = next((names for names in (("layer", "step"), ("layer",)) if set(columns[: len(names)]) == set(names)), ())
    if columns[:1] == [ROW_NUMBER]:
        experts = [0, *(expert + 1 for expert in experts_of(header[1:], header))]
    else:
        experts = experts_of(header[len(names) :], header)
    loads = array_of_numbers([[load_in(cell, where) for cell in row[len(names) :]] for where, row in rows])
    if not rows:
        return loads
    if names:
        table = [(where, dict(zip(columns, row, strict=False))) for where, row in rows]
        places = [
            (where, tuple(index_in(cells.get(name, 0), name, where) for name in INDICES[:2])) for where, cells in table
        ]
        loads = placed(places, loads)
    elif index_column is None and counts_rows(loads, least_rows=2):
        refuse_first_column(loads)
    return loads[..., np.argsort(experts)]
