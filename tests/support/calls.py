"""A call of every public function that works, for tests that spoil one argument."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from eplb_xp import (
    balanced_packing,
    check_loads,
    evaluate,
    rebalance_experts,
    rebalance_experts_hierarchical,
    replicate_experts,
    share_tokens,
)
from tests.support.libraries import NUMPY, Library, over
from tests.support.other_libraries import Jit

WEIGHT = np.array([[9, 4, 3, 2], [1, 6, 5, 7]], np.float32)
PHY2LOG = np.array([[0, 1, 0, 2, 3, 2]] * 2)


class Call(NamedTuple):
    """A public function with sizes that fit ``WEIGHT``."""

    function: Callable[..., Any]
    sizes: dict[str, Any]
    first: tuple[Any, ...] = ()  # what goes before the loads

    def run(self, library: Library, weight: Any = WEIGHT, **changed: Any) -> Any:
        return library.run(self.function, *self.first, weight, **(self.sizes | changed))


SIZES = {"num_groups": 2, "num_nodes": 2, "num_gpus": 2}
CALLS = {
    "rebalance": Call(rebalance_experts, {"num_replicas": 6, **SIZES}),
    "hierarchical": Call(rebalance_experts_hierarchical, {"num_physical_experts": 6, **SIZES}),
    "packing": Call(balanced_packing, {"num_packs": 2}),
    "replication": Call(replicate_experts, {"num_phy": 6}),
    "evaluation": Call(evaluate, {"num_gpus": 2}, ((PHY2LOG, PHY2LOG, PHY2LOG),)),
    "sharing": Call(share_tokens, {"num_gpus": 2}, ((PHY2LOG, PHY2LOG, PHY2LOG),)),
    "check": Call(check_loads, {}),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
every_call_but_check = pytest.mark.parametrize("call", list(CALLS.values())[:-1], ids=list(CALLS)[:-1])

# Sizes are checked by the same code whatever the library: with values in hand, and while they are traced.
in_hand_or_traced = over([NUMPY, Jit("jax-jit")])
