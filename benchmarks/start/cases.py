"""The first plans that are timed: every policy, for loads of a large model on both routes, and for few."""

from typing import NamedTuple

from eplb_xp import POLICIES


class Size(NamedTuple):
    """Loads, and what they are planned for."""

    name: str
    layers: int
    experts: int
    replicas: int
    groups: int
    nodes: int
    gpus: int

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the process is given that plans."""
        return tuple(map(str, (self.replicas, self.groups, self.nodes, self.gpus)))


class Case(NamedTuple):
    """A policy and the size that it plans for."""

    policy: str
    size: Size


LARGE = (Size("global", 58, 256, 288, 1, 1, 32), Size("hierarchical", 58, 256, 288, 8, 4, 32))
SMALL = (Size("24 on 8", 4, 16, 24, 1, 1, 8), Size("24 on 4", 4, 16, 24, 1, 1, 4))

OF_LARGE = [Case(policy, size) for policy in POLICIES for size in LARGE]
OF_SMALL = [Case(policy, size) for policy in POLICIES for size in SMALL]
