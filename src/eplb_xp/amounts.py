"""Numbers of slots as people write them: 8, 10%."""

import re
from fractions import Fraction


def as_moves(moves: str, slots: int, name: str = "max_moves", of: str = "a layer") -> int:
    """A number of slots, or a share of so many, rounded down.

    Raises
    ------
    ValueError
        Where it is neither; the message calls it by this name.
    """
    found = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", moves.strip(), re.ASCII)
    if found is None or (found[2] and Fraction(found[2]) > 100):
        raise ValueError(
            f"{name} must be a whole number of slots of {of}, such as 8, or 0% to 100% of them, got {moves!r}"
        )
    return int(found[1]) if found[1] else int(Fraction(found[2]) * slots / 100)
