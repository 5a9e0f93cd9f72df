"""What a console shows."""

from typing import Any

from rich.console import Console


def shown_as_text(shown: Any) -> str:
    console = Console(width=110)
    with console.capture() as printed:
        console.print(shown)
    return printed.get()
