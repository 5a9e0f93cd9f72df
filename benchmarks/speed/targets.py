"""How fast it should be, as multiples of the baseline's time."""

from typing import NamedTuple


class Target(NamedTuple):
    """What must be reached, and what is aimed at."""

    reach: float
    aim: float


EAGER = Target(1.0, 0.6)
COMPILED = Target(0.5, 0.25)

# By policy, route and library.
TARGETS = {
    **{("greedy", route, "jax-jit"): COMPILED for route in ("global", "hierarchical")},
    **{("greedy", route, library): EAGER for route in ("global", "hierarchical") for library in ("numpy", "torch")},
    ("swap", "global", "jax-jit"): Target(3, 1.5),
    ("multistart", "global", "jax-jit"): Target(60, 25),
    # 60 and 25 times greedy's.
    ("joint", "global", "jax-jit"): Target(17, 7),
}
