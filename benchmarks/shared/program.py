"""How a benchmark ends as a program."""

import sys

import typer

from eplb_xp.cli.errors import UserError, one_line


def run(app: typer.Typer, name: str, arguments: list[str] | None) -> None:
    """Run the command; what the user can mend ends with one line on stderr and 2."""
    try:
        app(arguments)
    except UserError as error:
        print(f"{name}:", one_line(str(error)), file=sys.stderr)
        sys.exit(2)
