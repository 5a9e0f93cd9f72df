"""How many replicas each expert gets, and in which order they are handed out.

EPLB hands out spare replicas one by one, each to the expert with the largest load per replica so
far. That is D'Hondt's rule of apportionment: the spares are the K largest of all quotients
load / j, j = 1, 2, ... So no loop over replicas is needed. A few spares are the first of a sorted
table (`ranking.py`); for many the K-th largest quotient is searched for (`threshold.py`).
"""

from typing import NamedTuple

from eplb_xp.algorithms.counts import ranking, threshold
from eplb_xp.algorithms.counts.spares import Range, Spares
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# The longest table, in quotients for each expert.
LONGEST_TABLE = 4

# The table puts expert and replica into one number of less than 31 bits, 13 of them for the replica.
MOST_RANKED = 2**17


class Replicas(NamedTuple):
    """Experts first, each in its own place, then the spares in the order handed out."""

    expert: Array  # [rows, replicas]
    rank: Array  # [rows, replicas], 0 for the first replica of an expert
    count: Array  # [rows, experts]


def replicate(lib: Standard, load: Array, num_replicas: int) -> Replicas:
    """Give every expert one replica, and the spares by D'Hondt's rule."""
    xp = lib.xp
    first = lib.arange_like(load)
    num_spares = num_replicas - load.shape[-1]
    expert, rank, count = hand_out(lib, load, num_spares, Range(1, num_spares + 1))
    return Replicas(xp.concat([first, expert], axis=-1), xp.concat([xp.zeros_like(first), rank], axis=-1), count)


def hand_out(lib: Standard, load: Array, num_spares: int, within: Range) -> Spares:
    """The spares in the order handed out, and how many replicas each expert has then.

    Ties go to the first expert; a row without load gives it all, as in EPLB. No other counts within the
    range make the largest replica smaller. The range must leave room for all spares, and where it is
    narrower than that, all loads must be positive.
    """
    xp = lib.xp
    if num_spares == 0:
        expert = lib.arange_like(load)
        return Spares(expert[:, :0], expert[:, :0], xp.full_like(expert, within.fewest))
    if load.shape[-1] > MOST_RANKED:
        return threshold.hand_out(lib, load, num_spares, within)
    if ranking.table_length(load.shape[-1], num_spares, within) <= LONGEST_TABLE * load.shape[-1]:
        return ranking.hand_out(lib, load, num_spares, within)
    return threshold.hand_out(lib, load, num_spares, within)
