"""Arrays from .npy, .npz and .json files; nothing is ever unpickled."""

import json
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from eplb_xp.loads.fields import NAMES, UnfitError, name_of_loads

Numbers: TypeAlias = np.ndarray[Any, Any]


def read_npy(file: BinaryIO) -> Numbers:
    """The array of a .npy file."""
    return np.lib.format.read_array(file, allow_pickle=False)


def read_npz(file: BinaryIO) -> Numbers:
    """The array ``load`` or ``logical_count`` of an archive, or its only one beside texts."""
    with np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
        found = archive.files
        if not set(NAMES) & set(found):
            found = [name for name in found if archive[name].dtype.kind not in "US"]
            if len(found) == 1:
                return archive[found[0]]
        return archive[name_of_loads(found, "an array 'load' or 'logical_count', or only one array beside texts")]


def read_json(file: BinaryIO) -> Numbers:
    """Nested lists of numbers, or those under ``load`` or ``logical_count`` of an object."""
    content = json.load(file)
    if isinstance(content, dict):
        content = content[name_of_loads(content)]
    if not isinstance(content, list):
        raise UnfitError(
            f"loads must be nested lists, [layers, experts] or [steps, layers, experts], got {_kind(content)}"
        )
    _check_nesting(content, "")
    return array_of_numbers(content)


def array_of_numbers(nested: list[Any]) -> Numbers:
    """Lists of Python's numbers as an array."""
    load = np.array(nested)
    return load.astype(np.float64) if load.dtype == object else load  # integers beyond 64 bits


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
