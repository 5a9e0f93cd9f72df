"""Arrays from .npy, .npz and .json files; nothing is ever unpickled."""

import json
from typing import Any, BinaryIO

import numpy as np

from eplb_xp.loads.files.fields import NAMES, Numbers, UnfitError, array_of_numbers, name_of_loads
from eplb_xp.loads.files.named import read_named
from eplb_xp.loads.files.plain import plain
from eplb_xp.loads.files.records import table_of


def read_npy(file: BinaryIO, index_column: bool | None) -> Numbers:
    """The array of a .npy file."""
    return plain(np.lib.format.read_array(file, allow_pickle=False), index_column)


def read_npz(file: BinaryIO, index_column: bool | None) -> Numbers:
    """The array ``load`` or ``logical_count`` of an archive, or its only one beside texts."""
    with np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
        found = archive.files
        if not set(NAMES) & set(found):
            found = [name for name in found if archive[name].dtype.kind not in "US"]
            if len(found) == 1:
                return plain(archive[found[0]], index_column)
        name = name_of_loads(found, "an array 'load' or 'logical_count', or only one array beside texts")
        return plain(archive[name], index_column)


def read_json(file: BinaryIO, index_column: bool | None) -> Numbers:
    """Nested lists of numbers or a table, or those under ``load`` or ``logical_count`` of an object."""
    content = json.load(file)
    table = table_of(content)
    if table is None and isinstance(content, dict):
        content = content[name_of_loads(content)]
        table = table_of(content)
    if table is not None:
        return read_named(*table, index_column)
    if not isinstance(content, list):
        raise UnfitError(
            f"loads must be nested lists, [layers, experts] or [steps, layers, experts], got {_kind(content)}"
        )
    _check_nesting(content, "")
    return plain(array_of_numbers(content), index_column)


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
