"""The numbers that a model gives its layers, where a map of them says these."""

import re

from eplb_xp.cli.errors import UserError
from eplb_xp.formats.placements import NUMBERED

OPTION = "--layer-numbers"


def check_numbering(format_name: str, layer_numbers: str | None) -> None:
    """Refuse numbers where the format has none."""
    if layer_numbers is not None and format_name != NUMBERED:
        raise UserError(f"{OPTION} goes with {NUMBERED}, whose layers have the model's numbers, not with {format_name}")


def as_numbering(text: str, layers: int) -> list[int]:
    """The value of ``--layer-numbers`` for so many layers: the first with a colon, a range, or all of them."""
    if found := re.fullmatch(r"(\d{1,9}):(\d{1,9})?", text.strip(), re.ASCII):
        first = int(found[1])
        numbers = [*range(first, int(found[2]) if found[2] else first + layers)]
    elif re.fullmatch(r"\d{1,9}(,\d{1,9})*", text.strip(), re.ASCII):
        numbers = [int(number) for number in text.split(",")]
    else:
        raise UserError(f"{OPTION} must be A:, A:B or numbers with commas between, such as 3: or 3,4,6, got {text!r}")
    if len(numbers) != layers or len({*numbers}) != layers:
        raise UserError(f"{OPTION} must be {layers} different numbers, one for each layer, got {text!r}")
    return numbers
