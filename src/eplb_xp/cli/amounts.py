"""Amounts with a sign or a letter behind the number: 10%, 44M."""

import re
from fractions import Fraction

from eplb_xp import amounts
from eplb_xp.cli.errors import UserError, refusals

LETTERS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def as_moves(moves: str, slots: int, option: str = "--max-moves", of: str = "a layer") -> int:
    """The value of ``--max-moves``, and of what is like it: a number of slots, or a share of so many, rounded down."""
    with refusals():
        return amounts.as_moves(moves, slots, option, of)


def as_bytes(size: str) -> int:
    """The value of ``--expert-bytes``: whole bytes, in powers of 1000 where a letter says so."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)B?", size.strip(), re.ASCII)
    number = Fraction(found[1]) * LETTERS[found[2]] if found else Fraction(0)
    if number < 1 or number.denominator > 1:
        raise UserError(
            f"--expert-bytes must be whole bytes from 1 up, or so many K, M or G of them, such as 44040192 or 44M, "
            f"got {size!r}"
        )
    return int(number)


def in_letters(size: int) -> str:
    """Bytes with three digits or so, as powers of 1000: 44 MB, 1.23 GB."""
    for power, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "KB")):
        if size >= 10**power:
            number = size / 10**power
            return f"{number:.3g} {unit}" if number < 999.5 else f"{number:,.0f} {unit}"
    return f"{size} bytes"
