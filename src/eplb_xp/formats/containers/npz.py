"""NumPy's .npz archives: the arrays by their names, none of them read before it is wanted."""

import zipfile
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from eplb_xp.formats.containers.npy import Header, Steps, header
from eplb_xp.formats.fields import Numbers
from eplb_xp.formats.limits import check_part

ENDING = ".npy"


class Archive:
    """Arrays in an archive; nothing is ever unpickled."""

    def __init__(self, file: BinaryIO) -> None:
        """Take an open file, which stays open as long as arrays are read."""
        self.zip = zipfile.ZipFile(file)
        self.parts = {
            part.filename.removesuffix(ENDING): part for part in self.zip.infolist() if part.filename.endswith(ENDING)
        }

    def __contains__(self, name: object) -> bool:
        """Whether there is such an array."""
        return name in self.parts

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self.parts)

    def steps(self, name: str) -> Steps:
        """An array whose steps are read one at a time."""
        part = self.parts[name]
        check_part(part)
        file: BinaryIO = self.zip.open(part)  # type: ignore[assignment] # it has all that is used
        return Steps(file, header(file), part.file_size)

    def head(self, name: str) -> Header:
        """What the archive says of an array."""
        with self.zip.open(self.parts[name]) as file:
            return header(file)  # type: ignore[arg-type] # it has all that is used

    def array(self, name: str) -> Numbers:
        """An array, all of it."""
        return np.array(self.steps(name).all())
