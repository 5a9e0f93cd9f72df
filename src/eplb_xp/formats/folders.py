"""Folders in which every rank has left a file."""

import re
from pathlib import Path

from eplb_xp.formats.fields import UnfitError

MOST = 4096


def files_of(folder: Path) -> list[Path]:
    """The files, in the order of their names, numbers in them as numbers; hidden ones are none."""
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise UnfitError("the folder holds no files; those of all ranks are summed")
    if len(files) > MOST:
        raise UnfitError(f"the folder holds {len(files)} files, and those of at most {MOST} ranks are read")
    return sorted(files, key=_by_numbers)


def _by_numbers(path: Path) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
