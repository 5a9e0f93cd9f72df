"""NumPy's .npy format, in a file of its own or in an archive."""

import math
from typing import BinaryIO, NamedTuple

import numpy as np

from eplb_xp.formats.fields import Numbers, UnfitError

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
LENGTHS = {(1, 0): 2, (2, 0): 4}  # bytes that say how long a header is
LONGEST = 2**16  # bytes of a header: NumPy takes no more than 10,000, but would read what is said first


class Header(NamedTuple):
    """What a file says of its array."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[np.generic]
    start: int  # where the values begin

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def header(file: BinaryIO) -> Header:
    """The header of a file that is at its beginning."""
    for _ in range(8):
        try:
            return _header(file)
        except SystemError:  # before Python 3.11.8 threads disturb each other's parser (gh-106905)
            file.seek(0)
    return _header(file)


def _header(file: BinaryIO) -> Header:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise UnfitError(f"a header of version {version[0]}.{version[1]}, and 1.0 and 2.0 are read")
    length = int.from_bytes(file.read(LENGTHS[version]), "little")
    if length > LONGEST:
        raise UnfitError(f"a header of {length} bytes, and headers of arrays have some hundred")
    file.seek(np.lib.format.MAGIC_LEN)
    found = Header(*HEADERS[version](file), file.tell())
    if any(length < 0 for length in found.shape):
        raise UnfitError(f"a shape can't be negative, got {found.shape}")
    return found


class Steps:
    """An array whose last two axes are a step, read a step at a time."""

    def __init__(self, file: BinaryIO, head: Header, bytes_there: int) -> None:
        """Take a file of so many bytes, header and all."""
        if head.dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded: they could run code")
        if head.start + head.size > bytes_there:
            raise ValueError(
                f"shape {head.shape} of {head.dtype} takes {head.size} bytes, and {bytes_there - head.start} are there"
            )
        self.file = file
        self.head = head
        self.shape = head.shape
        self.dtype = head.dtype

    def all(self) -> Numbers:
        """The whole array."""
        values = self._values(self.head.start, math.prod(self.shape))
        return values.reshape(self.shape, order="F" if self.head.is_fortran else "C")

    def __getitem__(self, number: int) -> Numbers:
        """One step of all the axes before, [layers, experts]."""
        size = math.prod(self.shape[-2:])
        values = self._values(self.head.start + number * size * self.dtype.itemsize, size)
        return values.reshape(self.shape[-2:])

    def _values(self, start: int, count: int) -> Numbers:
        size = count * self.dtype.itemsize
        if self.file.tell() != start:  # archives are read in order, or from the beginning once more
            self.file.seek(start)
        content = self.file.read(size)
        if start + size == self.head.start + self.head.size:
            self.file.read(1)  # at their end archives compare the checksum
        if len(content) != size:
            raise ValueError(f"the file ends {size - len(content)} bytes before the array does")
        return np.frombuffer(content, self.dtype)
