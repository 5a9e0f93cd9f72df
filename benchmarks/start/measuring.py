"""What is measured, each in processes of its own; what is compared takes turns."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.gpu import machine
from benchmarks.start import limits
from benchmarks.start.cases import OF_LARGE, OF_SMALL, Case
from benchmarks.start.figures import Figure, Skipped, beyond, of_parts
from benchmarks.start.natively import natively
from benchmarks.start.processes import CHILD, Process, run
from eplb_xp import loads
from eplb_xp.backends.takeover import SWITCH

# Processes that a figure is the median of.
IMPORTS, BY_NUMPY, FIRST_CALLS, SECOND_PROCESSES = 21, 7, 3, 5


class Start:
    """Everything that is measured, with its files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        load = loads.generate("deepseek-v3-decode")[0].astype(np.float32)
        for case in (*OF_LARGE, *OF_SMALL):
            np.save(self._loads(case), load[: case.size.layers, : case.size.experts])

    def importing(self) -> Iterator[Figure]:
        """What importing takes."""
        base = "import numpy, array_api_compat"
        added = [run("-c", f"{base}, eplb_xp").seconds - run("-c", base).seconds for _ in range(IMPORTS)]
        yield Figure("import", (), median(added), limits.IMPORT, {})

    def by_numpy(self) -> Iterator[Figure]:
        """What the first plan takes that NumPy makes, importing what plans included."""
        for case, ended in self._in_turns("by_numpy", OF_LARGE, BY_NUMPY).items():
            yield of_parts("NumPy", case, [process.wall for process in ended], limits.by_numpy(case))

    def under_jit(self) -> Iterator[Figure]:
        """What the first plan under jit takes, before and after JAX's persistent cache has its program."""
        cases = [*OF_LARGE, *OF_SMALL]
        first: dict[Case, list[Process]] = {case: [] for case in cases}
        for number in range(FIRST_CALLS):
            for case in cases:
                first[case].append(self._program(case, number))
        for case, ended in first.items():
            yield of_parts("jit", case, [process.wall for process in ended], None)
            yield of_parts("jit, CPU", case, [process.cpu for process in ended], limits.under_jit(case))

        added: dict[Case, list[float]] = {case: [] for case in OF_LARGE}
        second: dict[Case, list[Process]] = {case: [] for case in OF_LARGE}
        for _ in range(SECOND_PROCESSES):
            base = run(CHILD, "base", self._loads(OF_LARGE[0]), **self._cache(0))
            for case in OF_LARGE:
                second[case].append(self._program(case, 0))
                added[case].append(second[case][-1].seconds - base.seconds)
        for case, ended in second.items():
            yield beyond("2nd process", case, added[case], ended, limits.SECOND_PROCESS)

    def natively(self) -> Iterator[Figure | Skipped]:
        """What the first plans take by native code, and what its module adds to importing."""
        yield from natively(self._run)

    def concrete(self) -> Iterator[Figure]:
        """What the first plan of JAX's concrete arrays takes, without jit."""
        for case, ended in self._in_turns("concrete", OF_LARGE, FIRST_CALLS).items():
            yield of_parts("concrete", case, [process.wall for process in ended], limits.CONCRETE)

    def kernels(self) -> Iterator[Figure | Skipped]:
        """What compiling Triton's kernels takes, with nothing in Triton's cache."""
        if (why := machine.why_not()) is not None:
            yield Skipped("kernels, CPU", why)
            return
        for case in OF_LARGE:
            cache = self.folder / "triton" / case.policy / case.size.name
            ended = self._run("kernels", case, TRITON_CACHE_DIR=str(cache))
            yield of_parts("kernels, CPU", case, [ended.cpu], limits.KERNELS)

    def _in_turns(self, what: str, cases: list[Case], number: int) -> dict[Case, list[Process]]:
        ended: dict[Case, list[Process]] = {case: [] for case in cases}
        for _ in range(number):
            for case in cases:
                ended[case].append(self._run(what, case))
        return ended

    def _program(self, case: Case, cache: int) -> Process:
        """The first plan under jit, by the once-written program."""
        return self._run("under_jit", case, **{SWITCH: "0"}, **self._cache(cache))

    def _run(self, what: str, case: Case, **environment: str) -> Process:
        return run(CHILD, what, self._loads(case), case.policy, *case.size.arguments, **environment)

    def _loads(self, case: Case) -> str:
        return str(self.folder / f"{case.size.layers}x{case.size.experts}.npy")

    def _cache(self, number: int) -> dict[str, str]:
        folder = str(self.folder / f"cache-{number}")
        return {"JAX_COMPILATION_CACHE_DIR": folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
