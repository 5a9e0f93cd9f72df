"""Spare replicas: those beyond the ones that every expert has."""

from typing import NamedTuple

from eplb_xp.types import Array


class Range(NamedTuple):
    """How many replicas an expert may have."""

    fewest: int
    most: int


class Spares(NamedTuple):
    """The spares in the order handed out, and what every expert has with them."""

    expert: Array  # [rows, spares]
    rank: Array  # [rows, spares] which replica of the expert it is
    count: Array  # [rows, experts] replicas of each expert
