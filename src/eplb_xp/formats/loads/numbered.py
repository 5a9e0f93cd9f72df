"""Rows of layers that come with the layers' numbers."""

from collections.abc import Sequence

from eplb_xp.formats.fields import Numbers
from eplb_xp.formats.tables.placing import placed


def by_number(numbers: Sequence[int], rows: Numbers) -> Numbers:
    """[layers, experts], every row at its layer's number, zero where a number has none."""
    return placed([(f"layer {number}", (0, number)) for number in numbers], rows)[0]
