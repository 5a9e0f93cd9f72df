"""What the names of a table's columns mean."""

import re
from collections.abc import Sequence

from eplb_xp.formats.fields import UnfitError, listed
from eplb_xp.formats.tables.cells import as_index

INDICES = ("step", "layer", "expert")
ROW_NUMBER = "row number"

_NUMBERED = "(?:id|idx|index|num|number|no)?"
_MEANINGS = {
    "step": f"(?:step|iteration|iter|forwardpass){_NUMBERED}",
    "layer": f"(?:moe)?layers?{_NUMBERED}",
    "expert": f"(?:logical)?experts?{_NUMBERED}",
    "load": "(?:expert|logical|num|n|total)?(?:tokens?)?(?:loads?|counts?|tokens?)",
    ROW_NUMBER: r"|index|unnamed\d+",
}
_MORE = "(?:logical|loads?|counts?|tokens?|of|for|id|idx|index)*"
_EXPERT = rf"(?:{_MORE}(?:experts?|exp|e){_MORE})?0{_MORE}"  # with 0 for any number


def meaning(name: object) -> str | None:
    """One of `INDICES`, ``"load"`` or `ROW_NUMBER`, if it is a usual name of it."""
    plain = _plain(name)
    return next((what for what, names in _MEANINGS.items() if re.fullmatch(names, plain)), None)


def experts_of(names: Sequence[object], header: Sequence[object]) -> list[int]:
    """The expert of each column: the names count from 0 or from 1, in any order, with one text around the numbers."""
    numbered = [_numbered(name) for name in names]
    texts, numbers = zip(*numbered, strict=True) if numbered else ((), ())
    first = min(numbers, default=0)
    counting = first in (0, 1) and sorted(numbers) == list(range(first, first + len(numbers)))
    if not counting or len(set(texts)) != 1 or not re.fullmatch(_EXPERT, texts[0]):
        raise UnfitError(
            "columns must be layer, expert, load and perhaps step, or expert_0, expert_1, ..., all of them, perhaps "
            f"after layer and step; parted by commas, semicolons or tabs; found: {listed(header)}"
        )
    return [number - first for number in numbers]


def _numbered(name: object) -> tuple[str, int]:
    """A name with 0 for its number, and the number; -1 where it has none, or several."""
    if (number := as_index(name)) is not None:
        return "0", number
    parts = re.fullmatch(r"(\D*)(\d+)(\D*)", _plain(name))
    return (f"{parts[1]}0{parts[3]}", int(parts[2])) if parts else ("", -1)


def _plain(name: object) -> str:
    """In lower case, without what only parts words; a point within a number stays."""
    return re.sub(r"[\s_#:-]|(?<=[a-z])\.", "", str(name).casefold())
