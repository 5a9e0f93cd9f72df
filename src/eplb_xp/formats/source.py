"""A file that is to be read: of what kind it is by its content, and what is in it, read once."""

import json
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from eplb_xp.formats.containers.npy import Header, header
from eplb_xp.formats.containers.npz import Archive
from eplb_xp.formats.containers.pickles import read_dict
from eplb_xp.formats.containers.tensors import of_torch, safetensors
from eplb_xp.formats.fields import UnfitError
from eplb_xp.formats.refusing import naming

HEAD = 2**16
PICKLE = b"\x80"
MARK_OF_LOGS = b"[dump activation]"


class Kind(StrEnum):
    """What a file is, whatever its ending."""

    npy = ".npy"
    npz = ".npz"
    pt = ".pt"
    safetensors = ".safetensors"
    json = ".json"
    lines = ".jsonl"
    text = "text"


class Source:
    """An open file."""

    def __init__(self, path: Path, file: BinaryIO, stack: ExitStack) -> None:
        """Take an open file, and what closes all that is opened beside it."""
        self.path, self.file, self.stack = path, file, stack
        self.head = file.read(HEAD)
        self.size = file.seek(0, 2)
        file.seek(0)
        self.kind = self._kind()
        self.ending = path.suffix if self.kind == Kind.text and path.suffix else str(self.kind)

    def _kind(self) -> Kind:
        head = self.head
        plain = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
        if head.startswith(b"\x93NUMPY"):
            return Kind.npy
        if head.startswith((b"PK\3\4", b"PK\5\6")):
            return self._kind_of_archive()
        if head.startswith(PICKLE):
            return Kind.pt
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= self.size - 8:
            return Kind.safetensors
        if plain[:1] in (b"{", b"[") and MARK_OF_LOGS not in head:
            return Kind.lines if self._first_line_is_record() else Kind.json
        if self.size and b"\0" not in head:
            return Kind.text
        raise UnfitError(
            "the file is empty" if self.size == 0 else f"it begins with {head[:8]!r}, as no known file does"
        )

    def _kind_of_archive(self) -> Kind:
        try:
            names = zipfile.ZipFile(self.file).namelist()
        except Exception:  # damaged: whoever reads it says how
            return Kind.pt if self.path.suffix in (".pt", ".pth") else Kind.npz
        finally:
            self.file.seek(0)
        return Kind.pt if any(name.endswith("/data.pkl") for name in names) else Kind.npz

    def _first_line_is_record(self) -> bool:
        """Whether it is an object by itself, and says of which type."""
        if b'"record_type"' not in self.head:
            return False
        line = self.file.readline()
        self.file.seek(0)
        try:
            return "record_type" in json.loads(line)
        except ValueError:
            return False

    @cached_property
    def header(self) -> Header:
        """Of a .npy file."""
        self.file.seek(0)
        return header(self.file)

    @cached_property
    def is_dict(self) -> bool:
        """Whether a .npy file holds an object of no axes."""
        return self.kind == Kind.npy and self.header.dtype.hasobject and self.header.shape == ()

    @cached_property
    def pickled(self) -> dict[str, Any]:
        """The dict in such a file."""
        self.file.seek(self.header.start)
        return read_dict(self.file.read())

    @cached_property
    def archive(self) -> Archive:
        """Of a .npz file."""
        return Archive(self.file)

    @cached_property
    def document(self) -> Any:
        """What is in a .json file."""
        self.file.seek(0)
        return json.load(self.file)

    @cached_property
    def tensors(self) -> Any:
        """What is in a .pt file: tensors and plain values."""
        return of_torch().read(str(self.path))

    @cached_property
    def safetensors(self) -> Any:
        """A file of safetensors."""
        return safetensors(self.path, self.stack)

    @cached_property
    def text(self) -> str:
        """All the text."""
        self.file.seek(0)
        return self.file.read().decode("utf-8-sig")

    def names(self) -> set[str]:
        """Those at the top of a .json, .pt or .npz file, if it has names."""
        if self.kind == Kind.npz:
            return set(self.archive)
        content = {Kind.json: lambda: self.document, Kind.pt: lambda: self.tensors}.get(self.kind, lambda: None)()
        return {str(name) for name in content} if isinstance(content, dict) else set()


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file, and close it and what was opened with it."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        with naming(path):
            source = Source(path, file, stack)
        yield source
