"""What is timed on the GPU: every policy on both routes, two sizes more, few moves, each batch, growing sizes."""

from typing import Any, NamedTuple

from benchmarks.gpu.batches import QUOTAS, ROUTES, SHARES, Batched
from benchmarks.gpu.following import FOLLOWED, Following
from benchmarks.growth.sizes import Size
from eplb_xp import POLICIES
from eplb_xp.cli.errors import UserError

WAYS = ("graph", "eager", "jax")
GROWING = ("greedy", "joint")
NUMBERS = {
    "layers": (1, 4, 16, 58, 132, 250, 500, 1000),
    "experts": (64, 128, 256, 512, 1024),
    "GPUs": (8, 16, 32, 64, 128, 256, 512, 1024),
}


class Case(NamedTuple):
    """A policy and the sizes that it plans for."""

    policy: str
    layers: int = 58
    experts: int = 256
    replicas: int = 288
    gpus: int = 32
    groups: int = 1
    nodes: int = 1

    def __str__(self) -> str:
        return f"{self.policy} {self.route}, {self.layers} x {self.experts}, {self.replicas} / {self.gpus}"

    @property
    def route(self) -> str:
        """Whether each node plans for itself."""
        return "hierarchical" if self.nodes > 1 else "global"

    @property
    def arguments(self) -> dict[str, Any]:
        """What ``rebalance_experts`` is given beside the loads."""
        return {
            "num_replicas": self.replicas,
            "num_groups": self.groups,
            "num_nodes": self.nodes,
            "num_gpus": self.gpus,
            "policy": self.policy,
        }


# A plan, or what is done with each batch.
Work = Case | Following | Batched


class Section(NamedTuple):
    """Cases that are measured in the same way, under one heading."""

    title: str
    way: str
    cases: tuple[Work, ...]
    axis: str | None = None  # along which the cases grow


BOTH_ROUTES = tuple(
    Case(policy, **nodes) for policy in POLICIES for nodes in ({"groups": 8, "nodes": 4}, {"groups": 1, "nodes": 1})
)
FRESH = tuple(Case("joint", replicas=case.replicas, gpus=case.gpus) for case in FOLLOWED)
ALONE = Case("greedy", layers=1, replicas=320, gpus=64)
WIDE = Case("greedy", replicas=384, gpus=128)


def sections(only: str = "", *, quick: bool = False) -> list[Section]:
    """All sections, of the cases with a text in their name, in upper or lower case."""
    everything = [
        Section("a plan in a CUDA graph", "graph", (*BOTH_ROUTES, ALONE, WIDE)),
        Section("called from Python", "eager", BOTH_ROUTES),
        Section("inside jax.jit", "jax", BOTH_ROUTES),
        Section("few moves and fresh plans in a CUDA graph", "graph", (*FOLLOWED, *FRESH)),
        Section("shares of a batch in a CUDA graph", "graph", SHARES),
        Section("quotas of a rank in a CUDA graph", "graph", QUOTAS),
        Section("slots of tokens in a CUDA graph", "graph", ROUTES),
        Section("shares, quotas and slots, called from Python", "eager", (*SHARES, *QUOTAS, *ROUTES)),
        *(Section(f"more and more {axis}", "graph", _growing(axis, quick=quick), axis) for axis in NUMBERS),
    ]
    chosen = [
        section._replace(cases=tuple(case for case in section.cases if only.lower() in str(case).lower()))
        for section in everything
    ]
    if not any(section.cases for section in chosen):
        names = ", ".join(map(repr, map(str, (*everything[0].cases, *FOLLOWED, *SHARES, *QUOTAS, *ROUTES))))
        raise UserError(f"no case has {only!r} in its name; there are {names}, and growing sizes")
    return [section for section in chosen if section.cases]


def pairs(chosen: list[Section]) -> list[tuple[Work, str]]:
    """What is to be measured, once each, JAX last: it is imported when PyTorch's times are taken."""
    found = dict.fromkeys((case, section.way) for section in chosen for case in section.cases)
    return sorted(found, key=lambda pair: pair[1] == "jax")


def _growing(axis: str, *, quick: bool) -> tuple[Case, ...]:
    numbers = NUMBERS[axis]
    if quick:
        numbers = numbers[0], numbers[len(numbers) // 2], numbers[-1]
    sizes = [Size(**{axis.lower(): number}) for number in numbers]
    return tuple(
        Case(policy, size.layers, size.experts, size.replicas, size.gpus) for policy in GROWING for size in sizes
    )
