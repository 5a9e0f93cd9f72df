"""``--strategy``: what to try beside the usual, as a line of settings."""

from collections.abc import Callable
from typing import Any

from eplb_xp.cli.errors import UserError, refusals
from eplb_xp.simulation import Strategy

EXAMPLE = "often: every=10 max_moves=5% samples=4"


def _as_moves(text: str) -> int | float:
    return float(text[:-1]) / 100 if text.endswith("%") else int(text)


def _as_flag(text: str) -> bool:
    return {"yes": True, "no": False}[text]


# Fields of a strategy that can be said, and how.
SETTINGS: dict[str, Callable[[str], Any]] = {
    "policy": str,
    "every": int,
    "window": int,
    "samples": int,
    "half_life": float,
    "follows": _as_flag,
    "max_moves": _as_moves,
    "min_gain": float,
    "best_shares": _as_flag,
    "more_slots": int,
}


def as_strategy(text: str) -> Strategy:
    """A name, a colon, and settings with blanks between."""
    name, colon, rest = text.partition(":")
    if not name.strip() or not colon:
        raise UserError(f"--strategy must be a name, a colon and settings, such as '{EXAMPLE}', got {text!r}")
    settings = {}
    for part in rest.split():
        key, _, value = part.partition("=")
        if key not in SETTINGS:
            raise UserError(f"--strategy {name}: {part!r} is none of {', '.join(f'{each}=' for each in SETTINGS)}")
        try:
            settings[key] = SETTINGS[key](value)
        except (ValueError, KeyError) as error:
            kind = (
                "yes or no"
                if isinstance(error, KeyError)
                else "a number" + (" of slots or their share such as 10%" if key == "max_moves" else "")
            )
            raise UserError(f"--strategy {name}: {key} must be {kind}, got {value!r}") from error
    with refusals():
        return Strategy(name.strip(), **settings)
