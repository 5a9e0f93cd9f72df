"""What a file of loads may not say itself."""

from typing import NamedTuple


class Options(NamedTuple):
    """How a file is to be read."""

    index_column: bool | None = None  # whether the first column of a table numbers its rows
    num_layers: int | None = None  # of matrices that stand one below the other
