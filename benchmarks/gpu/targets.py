"""How fast plans, shares, quotas and routes on the GPU should be, and what others publish, in microseconds."""

from typing import NamedTuple

from benchmarks.gpu.batches import ONE_LAYER, QUOTAS, ROUTES, TURN, TURNS
from benchmarks.gpu.cases import ALONE, BOTH_ROUTES, WIDE, Work
from benchmarks.gpu.found import Missing, Times


class Target(NamedTuple):
    """What must be reached, and what is aimed at."""

    reach: float
    aim: float | None = None


class Published(NamedTuple):
    """What a plan of the same sizes takes elsewhere."""

    by: str
    least: float
    most: float


EAGER_BEYOND_GRAPH = 60.0
JAX_TIMES_GRAPH = 1.3

# Of both routes: hierarchical, global.
OF_POLICY = {
    "greedy": (Target(20, 10), Target(30, 15)),
    "swap": (Target(45, 25), Target(80, 40)),
    "multistart": (Target(200, 100), Target(250, 120)),
    "joint": (Target(250, 100), Target(350, 150)),
    "ring": (Target(60, 30), Target(60, 30)),
}
# The vectorised torch code of vLLM, on an H200. There is none for joint and ring.
VLLM = {"greedy": (18_700.0, 64_600.0), "swap": (51_000.0, 412_000.0), "multistart": (21_500.0, 43_500.0)}

# Of several turns, by matchings: 320 on 32, 384 on 64.
MATCHED = Target(60, 25), Target(120, 60)

TARGETS: dict[Work, Target] = {
    **{case: OF_POLICY[case.policy][case.route == "global"] for case in BOTH_ROUTES},
    ALONE: Target(30, 15),
    WIDE: Target(45, 20),
    **dict.fromkeys(TURN, Target(15, 8)),
    **dict(zip(TURNS, MATCHED, strict=True)),
    ONE_LAYER: Target(8, 5),
    **dict(zip(QUOTAS, (Target(8, 4), Target(20, 10)), strict=True)),
    **dict.fromkeys(ROUTES, Target(10, 5)),
}
PUBLISHED: dict[Work, Published] = {
    **{
        case: Published("vLLM", *(VLLM[case.policy][case.route == "global"],) * 2)
        for case in BOTH_ROUTES
        if case.policy in VLLM
    },
    ALONE: Published("UltraEP", 67, 78),
}


def target(case: Work, way: str, graph: Times | Missing | None) -> Target | None:
    """How fast a case should be; outside of the graph that depends on its time in the graph."""
    if way == "graph":
        return TARGETS.get(case)
    if not isinstance(graph, Times):
        return None
    return Target(graph.median + EAGER_BEYOND_GRAPH if way == "eager" else JAX_TIMES_GRAPH * graph.median)


def met(median: float, wanted: Target) -> str:
    """The best of what is met."""
    if wanted.aim is not None and median <= wanted.aim:
        return "aim"
    return "reach" if median <= wanted.reach else "missed"
