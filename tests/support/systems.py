"""Small systems of every kind, for plans that follow others."""

from dataclasses import replace
from typing import Any, NamedTuple

from eplb_xp import Policy
from eplb_xp.sizes import Sizes
from tests.support.libraries import NumPyArray
from tests.support.references.beginning import Rules, rules_of


class System(NamedTuple):
    """A small one."""

    experts: int
    sizes: tuple[int, int, int, int]  # replicas, groups, nodes, GPUs
    cap: int | None = None
    near_gpus: int = 0  # 0 for all
    far_cost: int = 1

    def rules(self, weight: NumPyArray) -> Rules:
        """Those of the reference."""
        near = self.near_gpus or self.sizes[3]
        return replace(rules_of(weight, self.sizes, self.cap), near_gpus=near, far_cost=self.far_cost)

    def followed(self, weight: NumPyArray, policy: Policy) -> dict[str, Any]:
        """What following is told beside its arrays."""
        far = {"gpus_per_node": self.near_gpus or self.sizes[3], "far_cost": self.far_cost}
        return {**self.static(weight, policy), **far, "divides": True}

    def static(self, weight: NumPyArray, policy: Policy) -> dict[str, Any]:
        """What a step is told beside its arrays."""
        rules = rules_of(weight, self.sizes, self.cap)
        return {"sizes": Sizes(rules.replicas, rules.groups, rules.nodes, rules.gpus, self.cap), "policy": policy}


SYSTEMS = {
    "three GPUs": System(6, (9, 1, 1, 3)),
    "many replicas": System(4, (16, 1, 1, 4)),
    "a cap": System(6, (12, 1, 1, 4), 3),
    "nodes": System(8, (12, 4, 2, 4)),
    "nodes and a cap": System(6, (16, 2, 2, 4), 4),
    "no spares": System(8, (8, 1, 1, 2)),
    "one slot a GPU": System(3, (5, 1, 1, 5)),
    "two far nodes": System(6, (12, 1, 1, 4), None, 2, 3),
    "every GPU is far": System(6, (9, 1, 1, 3), 3, 1, 2),
    "far in nodes": System(8, (12, 4, 2, 4), None, 1, 2),
}
