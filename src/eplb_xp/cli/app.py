"""The program: its commands, and how one ends."""

import sys
from typing import Any

import typer

from eplb_xp.cli.commands.convert import convert
from eplb_xp.cli.commands.demo import demo
from eplb_xp.cli.commands.evaluate import evaluate
from eplb_xp.cli.commands.frontier import frontier
from eplb_xp.cli.commands.info import info
from eplb_xp.cli.commands.measure import measure
from eplb_xp.cli.commands.plan import plan
from eplb_xp.cli.commands.simulate import simulate
from eplb_xp.cli.commands.sweep import sweep
from eplb_xp.cli.errors import UserError, one_line

app = typer.Typer(
    help="Balanced expert placement (EPLB) for Mixture-of-Experts models.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (demo, plan, evaluate, frontier, simulate, measure, sweep, convert, info):
    app.command()(command)


def run(args: list[str] | None) -> int:
    """Run a command; what the user can mend ends with one line on stderr and 2, not with a traceback."""
    # What doesn't parse. Of these errors typer exports children only.
    usage_error: Any = typer.BadParameter.__mro__[1]
    try:
        return int(app(args, prog_name="eplb-xp", standalone_mode=False) or 0)
    except UserError as error:
        message = str(error)
    except usage_error as error:
        message = f"{error.format_message()} (eplb-xp --help says more)"
    print("eplb-xp:", one_line(message), file=sys.stderr)
    return 2
