"""Nested lists and tables in JSON, as pandas writes them, or anyone."""

import json
from typing import Any

from eplb_xp.formats.fields import UnfitError, array_of_numbers, name_of_loads
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.loads.recorded import Recorded, of_array
from eplb_xp.formats.source import Kind, Source
from eplb_xp.formats.tables.named import read_named
from eplb_xp.formats.tables.plain import plain
from eplb_xp.formats.tables.records import table_of


def recognises(source: Source, _: Options) -> bool:
    """Any JSON that is nothing else."""
    return source.kind == Kind.json


def read(source: Source, options: Options) -> Recorded:
    """Nested lists of numbers or a table, or those under ``load`` or ``logical_count`` of an object."""
    content = source.document
    table = table_of(content)
    if table is None and isinstance(content, dict):
        content = content[name_of_loads(content)]
        table = table_of(content)
    if table is not None:
        return of_array(read_named(*table, options.index_column))
    if not isinstance(content, list):
        raise UnfitError(
            f"loads must be nested lists, [layers, experts] or [steps, layers, experts], got {_kind(content)}"
        )
    _check_nesting(content, "")
    return plain(of_array(array_of_numbers(content)), options.index_column)


def _check_nesting(items: list[Any], where: str) -> tuple[int, ...]:
    """The shape of nested lists, once all lists of a depth are known to be of one length."""
    if not any(isinstance(item, list) for item in items):
        for index, item in enumerate(items):
            if type(item) not in (int, float):  # a truth value is an int, too
                raise UnfitError(f"loads must be numbers, got {_kind(item)} at {where}[{index}]")
        return (len(items),)
    shapes = []
    for index, item in enumerate(items):
        there = f"{where}[{index}]"
        if not isinstance(item, list):
            raise UnfitError(f"all lists must be equally deep, got {_kind(item)} at {there}")
        shapes.append(_check_nesting(item, there))
        if shapes[-1] != shapes[0]:
            raise UnfitError(
                f"rows must be of one length, but {where}[0] has shape {shapes[0]} and {there} {shapes[-1]}"
            )
    return (len(items), *shapes[0])


def _kind(item: Any) -> str:
    return "an object" if isinstance(item, dict) else json.dumps(item)[:30]
