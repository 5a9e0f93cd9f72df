"""What a benchmark is at: a bar on a terminal, elsewhere a line for each piece of work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from eplb_xp.cli.progress import progress as bar


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Give what announces each of ``total`` pieces of work, on stderr."""
    console = Console(stderr=True)
    number = 0

    def line(work: str) -> None:
        nonlocal number
        number += 1
        console.print(f"{number}/{total} {work}", markup=False, highlight=False, soft_wrap=True)

    with bar(total, hidden=False) as announce:
        yield announce if console.is_interactive else line
