"""Amounts on the command line: 10%, 44M."""

import re

import pytest

from eplb_xp.cli.amounts import as_bytes, as_moves, in_letters
from eplb_xp.cli.errors import UserError


@pytest.mark.parametrize(
    ("text", "moves"),
    [("0", 0), ("8", 8), ("500", 500), ("10%", 28), ("0%", 0), ("100%", 288), ("12.5%", 36), (" 29.17% ", 84)],
)
def test_moves_are_slots_or_a_share_rounded_down(text: str, moves: int) -> None:
    assert as_moves(text, 288) == moves


def test_a_share_is_exact() -> None:
    assert as_moves("29%", 100) == 29  # in floats 28.999999999999996


@pytest.mark.parametrize("text", ["", "%", "-1", "1.5", "101%", "100.1%", "-1%", "ten", "1e3", "\N{SUPERSCRIPT TWO}"])
def test_other_moves_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=re.escape("--max-moves must be a whole number of slots of a layer, such as")):
        as_moves(text, 288)


@pytest.mark.parametrize(
    ("text", "size"),
    [("44040192", 44040192), ("44M", 44_000_000), ("44MB", 44_000_000), ("1.5K", 1500), ("2G", 2 * 10**9), ("7B", 7)],
)
def test_letters_are_powers_of_1000(text: str, size: int) -> None:
    assert as_bytes(text) == size


@pytest.mark.parametrize("text", ["", "0", "0.5", "1.0005K", "44MiB", "44 M", "-3", "44m", "4T"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"such as 44040192 or 44M, got {text!r}")):
        as_bytes(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (44_040_192, "44 MB"),
        (1_234_567_890, "1.23 GB"),
        (999_700, "1,000 KB"),
        (5_678 * 10**12, "5,678 TB"),
    ],
)
def test_bytes_have_three_digits(size: int, text: str) -> None:
    assert in_letters(size) == text
