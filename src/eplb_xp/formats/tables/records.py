"""Tables in JSON: objects for the rows, or columns under their names, as pandas' to_json writes them."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from eplb_xp.formats.fields import UnfitError, listed
from eplb_xp.formats.tables.cells import as_index
from eplb_xp.formats.tables.named import Row
from eplb_xp.formats.tables.names import meaning

Table: TypeAlias = tuple[list[Any], list[Row]]  # the header, and the rows


def table_of(content: Any) -> Table | None:
    """What it holds, if it is a table."""
    if isinstance(content, list):
        return _records([(f"[{number}]", row) for number, row in enumerate(content)])
    if not isinstance(content, dict):
        return None
    data, header = content.get("data"), content.get("columns")
    if isinstance(data, list):
        if isinstance(header, list) and all(isinstance(row, list) for row in data):  # orient="split"
            return header, [(f"data[{number}]", row) for number, row in enumerate(data)]
        return table_of(data)  # orient="table"
    return _nested(content)


def _nested(content: dict[Any, Any]) -> Table | None:
    """Objects of objects, or of lists for the columns of a row for each load."""
    if _hold(dict, content.values()):
        if all(as_index(name) is not None for name in content):  # orient="index"
            if all(as_index(name) is not None for row in content.values() for name in row):
                raise UnfitError(
                    f"objects of objects must name columns, such as layer or expert_0; found numbers: {listed(content)}"
                )
            return _records([(f"row {name}", row) for name, row in content.items()])
        return _columns(content)
    if _hold(list, content.values()) and {"layer", "expert", "load"} <= {meaning(name) for name in content}:
        return _columns({name: dict(enumerate(column)) for name, column in content.items()})
    return None


def _records(rows: list[tuple[str, Any]]) -> Table | None:
    """Rows that are objects, all with the same names."""
    if not rows or not _hold(dict, (row for _, row in rows)):
        return None
    header = [*rows[0][1]]
    for where, row in rows:
        if set(row) != set(header):
            raise UnfitError(
                f"all rows must have the columns of the first, {listed(header)}; {where} has {listed(row)}"
            )
    return header, [(where, [row[name] for name in header]) for where, row in rows]


def _columns(columns: dict[Any, dict[Any, Any]]) -> Table:
    """Columns that are objects, all with the same rows."""
    rows = [*next(iter(columns.values()))]
    for name, column in columns.items():
        if set(column) != set(rows):
            raise UnfitError(f"all columns must have rows of the same names, but those of {name} are {listed(column)}")
    return [*columns], [(f"row {row}", [column[row] for column in columns.values()]) for row in rows]


def _hold(kind: type[dict[Any, Any]] | type[list[Any]], values: Iterable[Any]) -> bool:
    """Whether every value is of this kind, with nothing nested in it."""
    return all(
        isinstance(value, kind)
        and not any(isinstance(cell, dict | list) for cell in (value.values() if isinstance(value, dict) else value))
        for value in values
    )
