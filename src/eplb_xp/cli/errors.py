"""What ends a command with one line and exit code 2."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """A file, a size or an option that can't be used; the message says what would work."""


@contextmanager
def refusals(about: Path | None = None) -> Iterator[None]:
    """What the library or the system refuses, in the words of the command line, the file that it is about first."""
    start = "" if about is None else f"{about}: "
    try:
        yield
    except ValueError as error:
        raise UserError(start + with_options(str(error).removeprefix(start))) from error
    except OSError as error:
        raise UserError(f"{start}can't be read: {error.strerror or error}") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What goes wrong when a file is written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from error


def with_options(message: str) -> str:
    """The library's message, with its arguments under the names that they have on the command line."""
    message = message.replace("index_column=True", "--index-column").replace("index_column=False", "--no-index-column")
    names = "num_(?:replicas|groups|nodes|gpus|layers)|max_replicas|max_moves|min_gain|gpus_per_node|far_cost"
    return re.sub(rf"\b({names})\b", _option, message)


def one_line(text: str) -> str:
    """A text from anywhere, as a terminal can show it in one line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _option(name: re.Match[str]) -> str:
    return f"--{name[0].replace('_', '-')}"
