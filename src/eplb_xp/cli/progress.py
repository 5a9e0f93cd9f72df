"""A progress bar for what takes over a second."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

SECONDS = 1.0


@contextmanager
def progress(total: int, *, hidden: bool) -> Iterator[Callable[[str], None]]:
    """Give what announces each of ``total`` pieces of work; a bar on stderr shows them, if that is a terminal.

    The bar comes up after a second, in the middle of a piece of work too, and goes when all is done.
    """
    console = Console(stderr=True)
    if hidden or not console.is_interactive:
        yield lambda _: None
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("", total=total)
    number = 0

    def announce(work: str) -> None:
        nonlocal number
        number += 1
        bar.update(task, completed=number - 1, description=f"{work} {number}/{total}")

    timer = Timer(SECONDS, bar.start)
    timer.start()
    try:
        yield announce
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
