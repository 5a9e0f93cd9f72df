"""How fast it should be, as multiples of the baseline's time."""

from typing import NamedTuple


class Target(NamedTuple):
    """What must be reached, and what is aimed at."""

    reach: float
    aim: float


EAGER = Target(1.0, 0.6)
COMPILED = Target(0.5, 0.25)

# By policy, route and library; the hierarchical one of joint for Zipf loads, for lognormal ones half of that.
TARGETS = {
    **{("greedy", route, "jax-jit"): COMPILED for route in ("global", "hierarchical")},
    **{("greedy", route, library): EAGER for route in ("global", "hierarchical") for library in ("numpy", "torch")},
    ("swap", "global", "jax-jit"): Target(3, 1.5),
    ("multistart", "global", "jax-jit"): Target(60, 25),
    # 60 and 25 times greedy's.
    ("joint", "global", "jax-jit"): Target(17, 7),
    ("greedy", "global", "numpy-native"): Target(0.25, 0.15),
    ("greedy", "hierarchical", "numpy-native"): Target(0.5, 0.3),
    ("swap", "global", "numpy-native"): Target(0.5, 0.3),
    ("swap", "hierarchical", "numpy-native"): Target(1.2, 0.8),
    ("multistart", "global", "numpy-native"): Target(18, 10),
    ("multistart", "hierarchical", "numpy-native"): Target(75, 45),
    ("joint", "global", "numpy-native"): Target(1.0, 0.6),
    ("joint", "hierarchical", "numpy-native"): Target(8, 4),
    ("joint", "72 GPUs", "numpy-native"): Target(6, 3.5),
    ("joint", "64 GPUs", "numpy-native"): Target(7, 4),
    ("joint", "128 GPUs", "numpy-native"): Target(6, 3.5),
    ("joint", "10 % moves", "numpy-native"): Target(40, 15),
    ("ring", "shares on rings", "numpy-native"): Target(0.1, 0.05),
    ("ring", "shares by matchings", "numpy-native"): Target(0.3, 0.15),
}
OF_LOGNORMAL = {("joint", "hierarchical", "numpy-native"): Target(4, 2)}


def target(policy: str, route: str, library: str, family: str) -> Target | None:
    """Native code has the same target from each library."""
    name = (policy, route, "numpy-native" if library.endswith("-native") else library)
    return OF_LOGNORMAL[name] if family.startswith("lognormal") and name in OF_LOGNORMAL else TARGETS.get(name)
