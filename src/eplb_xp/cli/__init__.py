"""The command line, ``eplb-xp``; its libraries are those of the extra ``cli``."""

import sys
from importlib.util import find_spec


def main(args: list[str] | None = None) -> int:
    """Run ``eplb-xp`` with these arguments, by default those of the process, and return its exit code."""
    missing = [name for name in ("matplotlib", "rich", "typer") if find_spec(name) is None]
    if missing:
        print(f'eplb-xp: {", ".join(missing)} not installed: pip install "eplb-xp[cli]"', file=sys.stderr)
        return 2

    from eplb_xp.cli.app import run  # noqa: PLC0415  only now is it known to work

    return run(args)
