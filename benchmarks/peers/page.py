"""The page's tables: what stands between marks in it is replaced."""

import re
from collections.abc import Mapping

END = "<!-- end -->"


def mark(name: str) -> str:
    """What stands before a table."""
    return f"<!-- {name}: by make bench-peers -->"


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with the tables of these names anew.

    Raises
    ------
    ValueError
        Where the page has no place for one.
    """
    for name, text in tables.items():
        place = re.search(f"{re.escape(mark(name))}\n.*?{END}", page, re.DOTALL)
        if place is None:
            raise ValueError(f"the page has no place for {name}: {mark(name)}, later {END}")
        page = f"{page[: place.start()]}{mark(name)}\n\n{text}\n{END}{page[place.end() :]}"
    return page
