"""What a machine takes, as a table and as JSON."""

from typing import Any

from rich.console import Group
from rich.text import Text

from eplb_xp.cli.output.tables import new_table
from eplb_xp.simulation import Measured


def table(found: Measured) -> Group:
    """A row for each number of tokens, what follows, and what is missing."""
    cells = new_table("tokens of an expert", "an expert", "a token")
    for tokens, seconds in found.products:
        cells.add_row(f"{tokens:,}", f"{seconds * 1e6:,.1f} us", f"{seconds / tokens * 1e9:,.1f} ns")
    slot, token = found.cost["seconds_per_active_slot"], found.cost["seconds_per_token"]
    lines = [
        f"\nan active slot {slot * 1e6:,.1f} us, a token {token * 1e9:,.1f} ns",
        f"below {slot / token:,.0f} tokens a slot its weights decide, not its tokens\n",
    ]
    if "seconds_per_move" in found.cost:
        lines.insert(1, f"a move to the next device {found.cost['seconds_per_move'] * 1e6:,.0f} us")
    notes = Text("\n".join(lines))
    notes.append("\n".join(f"not measured: {each}" for each in found.missing), style="dim")
    devices = "" if found.devices == 1 else f"{found.devices} x "
    return Group(Text(f"{devices}{found.machine}\n", style="bold"), cells, notes)


def document(found: Measured) -> dict[str, Any]:
    """The same; the cost is what is read again."""
    return {
        **found._asdict(),
        "products": [product._asdict() for product in found.products],
    }
