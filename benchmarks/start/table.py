"""The table: a row for each figure, in milliseconds."""

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from benchmarks.start.figures import Figure, Skipped
from eplb_xp.cli.output.tables import new_table

PARTS = ("trace", "lower", "compile", "run")
NOTES = """
global, hierarchical: 58 layers x 256 experts, 288 replicas, 32 GPUs; the latter
with 8 groups on 4 nodes. 24 on 8, 24 on 4: 4 layers x 16 experts, 24 replicas
import: added to that of NumPy and array_api_compat
NumPy: the first plan of a process that has imported NumPy, importing included
jit: JAX's first plan under jit, EPLB_XP_KERNELS=0; CPU: time of all cores
2nd process: added by import and first call to one that imports JAX and compiles
x + 1; both have JAX's persistent compilation cache, and compile is reading it
concrete: JAX's first plan of a concrete array, without jit
extension: added to import by native code's module
native: first plans by native code, importing included; under jit all of the program
kernels: PyTorch's first plan on a GPU, most of it compiling Triton's kernels"""


def table(found: Sequence[Figure | Skipped]) -> Group:
    """All figures, what took longer than it may, and what was not measured."""
    rows = new_table("", "policy", "size", "ms", "at\nmost", *PARTS)
    figures = [each for each in found if isinstance(each, Figure)]
    for figure in figures:
        policy, size = (*figure.of, "", "")[:2]
        at_most = "" if figure.at_most is None else milliseconds(figure.at_most)
        seconds = Text(milliseconds(figure.seconds), "" if not at_most else "red" if figure.missed else "green")
        parts = (milliseconds(figure.parts[part]) if part in figure.parts else "" for part in PARTS)
        rows.add_row(figure.what, policy, size, seconds, at_most, *parts)
    missed = sum(figure.missed for figure in figures)
    verdict = Text(f"\n{missed} took longer than they may" if missed else "", style="red")
    skipped = [Text(f"\n{each.what}: not measured, {each.why}") for each in found if isinstance(each, Skipped)]
    return Group(rows, verdict, *skipped, Text(NOTES, style="dim"))


def milliseconds(seconds: float) -> str:
    """Two digits or more."""
    return f"{1e3 * seconds:.{0 if seconds >= 0.01 else 1 if seconds >= 0.001 else 2}f}"
