"""What is said of a file that is damaged, or holds something else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eplb_xp.formats.fields import UnfitError

MOST = 300  # letters of what others say of a damaged file


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Say of which file is spoken."""
    try:
        yield
    except UnfitError as error:
        raise ValueError(f"{path}: {error}") from error


@contextmanager
def naming_rank(name: str, kind: str) -> Iterator[None]:
    """Say of which file in a folder is spoken."""
    try:
        with parsing(kind):
            yield
    except UnfitError as error:
        raise UnfitError(f"{name}: {error}") from error


@contextmanager
def parsing(kind: str, wanted: str = "plain numbers") -> Iterator[None]:
    """Whatever a damaged file makes NumPy, zipfile, zlib, torch and others raise is that it is none."""
    try:
        yield
    except UnfitError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # the system refuses a file
            raise
        said = " ".join(str(error).split())
        raise UnfitError(f"no {kind} file of {wanted}: {said[:MOST]}{' ...' * (len(said) > MOST)}") from error
