"""What starting costs with native code: what the extension module adds to importing, and the first plans."""

from collections.abc import Callable, Iterator
from statistics import median

from benchmarks.start import limits
from benchmarks.start.cases import LARGE, Case
from benchmarks.start.figures import Figure, Skipped, of_parts
from benchmarks.start.processes import Process, run
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.takeover import NATIVE, SWITCH, Refusal

IMPORTS, FIRST_CALLS = 21, 5
CASES = [Case(policy, size) for policy in ("greedy", "joint") for size in LARGE]
# As if it had not been built.
WITHOUT = "import sys; sys.modules['eplb_xp.backends.native._native'] = None; "
IMPORT = "import numpy, array_api_compat, eplb_xp"
FIRST_PLANS = ("by_numpy", "by_torch", "under_jit")


def natively(first_plan: Callable[..., Process]) -> Iterator[Figure | Skipped]:
    """The figures, given what makes a first plan in a process of its own."""
    if isinstance(native := from_numpy.extension(), Refusal):
        yield Skipped("native", native.reason)
        return
    added = [run("-c", IMPORT).seconds - run("-c", WITHOUT + IMPORT).seconds for _ in range(IMPORTS)]
    yield Figure("extension", (), median(added), limits.EXTENSION, {})
    for case in CASES:
        ended = {what: [first_plan(what, case, **{SWITCH: NATIVE}) for _ in range(FIRST_CALLS)] for what in FIRST_PLANS}
        yield of_parts("NumPy, native", case, [each.wall for each in ended["by_numpy"]], limits.NATIVE)
        yield of_parts("torch, native", case, [each.wall for each in ended["by_torch"]], limits.NATIVE)
        yield of_parts("jit, native, CPU", case, [each.cpu for each in ended["under_jit"]], limits.NATIVE_PROGRAM)
