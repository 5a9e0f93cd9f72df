"""What is installed, as a table and as JSON."""

from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from eplb_xp.cli.installation import Installation

NOTES = "What a form leaves to it, and all else, the once-written code plans: the same plans."


def table(found: Installation) -> Group:
    """Versions, and a row for each form."""
    heading = Text(f"eplb-xp {found.version}, Python {found.python}, {found.machine}")
    packages = Text(", ".join(f"{name} {version or 'not installed'}" for name, version in found.packages.items()))
    rows = Table("form", "arrays", "used", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for form in found.forms:
        rows.add_row(form.name, form.arrays, "yes" if form.is_used else "no", form.reason)
    return Group(heading, packages, rows, Text(NOTES, style="dim"))


def document(found: Installation) -> dict[str, Any]:
    """The same, by name."""
    return {**found._asdict(), "forms": [form._asdict() for form in found.forms]}
