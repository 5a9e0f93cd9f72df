"""What each may take at most, in seconds: of the clock, and of CPU time where most of it is compiling."""

from benchmarks.start.cases import LARGE, SMALL, Case

IMPORT = 0.05
# What the extension module adds to that, where it is built.
EXTENSION = 0.005
# Of both routes: global, hierarchical. Some tens of milliseconds are importing, the rest is planning.
BY_NUMPY = {"greedy": (0.1, 0.1), "swap": (0.2, 0.2), "multistart": (1.0, 3.0), "joint": (0.5, 2.0), "ring": (0.2, 0.2)}
SECOND_PROCESS = 1.0
CONCRETE = 1.0

# With native code, whatever the policy: by the clock from NumPy and PyTorch, under jit CPU time.
NATIVE, NATIVE_PROGRAM = 0.1, 0.5

# CPU time.
LARGE_PROGRAM, SMALL_PROGRAM = 12.0, 5.0
KERNELS = 10.0


def by_numpy(case: Case) -> float:
    """What the first plan of a process by NumPy may take."""
    return BY_NUMPY[case.policy][LARGE.index(case.size)]


def under_jit(case: Case) -> float:
    """What the first plan under jit may take, most of it compiling the program."""
    return SMALL_PROGRAM if case.size in SMALL else LARGE_PROGRAM
