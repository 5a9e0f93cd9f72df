"""What is installed, as a table and as JSON."""

from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from eplb_xp.cli.installation import Installation

NOTES = "What a form leaves to it, and all else, the once-written code plans: the same plans."


def table(found: Installation) -> Group:
    """Versions, a row for each form, and one for each engine."""
    heading = Text(f"eplb-xp {found.version}, Python {found.python}, {found.machine}")
    packages = Text(", ".join(f"{name} {version or 'not installed'}" for name, version in found.packages.items()))
    rows = Table("form", "arrays", "used", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for form in found.forms:
        rows.add_row(form.name, form.arrays, "yes" if form.is_used else "no", form.reason)
    engines = Table("engine", "entry point", "used", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for each in found.engines:
        name = f"{each.engine} {each.version or ''}".strip()
        engines.add_row(name, each.entry_point, "yes" if each.is_used else "no", each.reason)
    return Group(heading, packages, rows, Text(NOTES, style="dim"), engines)


def document(found: Installation) -> dict[str, Any]:
    """The same, by name."""
    lists = {name: [each._asdict() for each in getattr(found, name)] for name in ("forms", "engines")}
    return {**found._asdict(), **lists}
