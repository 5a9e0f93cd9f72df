"""Plans for the tests: made on a library, measured, compared."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from eplb_xp import POLICIES, Plan, Policy, Report, evaluate, rebalance_experts
from tests.support.libraries import NUMPY, Library, NumPyArray
from tests.support.loads import weights

NAMES = ("num_replicas", "num_groups", "num_nodes", "num_gpus")

# All that policy joint does, for tests that are not about how well: its last generations take most of the time.
LIGHT_JOINT = replace(POLICIES["joint"], finish=20, levels=2, generations=2)


def plan(
    library: Library, weight: NumPyArray, sizes: tuple[int, ...], *, policy: str | Policy = "greedy", **options: Any
) -> Plan[NumPyArray]:
    """The plan for replicas, groups, nodes and GPUs: EPLB's, unless another policy is named."""
    result = library.run(rebalance_experts, weight, **dict(zip(NAMES, sizes, strict=True)), policy=policy, **options)
    assert isinstance(result, Plan)
    return result


def assert_same(got: Plan[NumPyArray], want: Plan[NumPyArray]) -> None:
    """The three maps of both are equal."""
    for name, a, b in zip(Plan._fields, got, want, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name, strict=True)


def report_of(made: Plan[NumPyArray], weight: NumPyArray, sizes: tuple[int, ...]) -> Report[NumPyArray]:
    """What the library says of a plan."""
    _, groups, nodes, gpus = sizes
    return evaluate(made, weight, gpus, num_groups=groups, num_nodes=nodes)


def busiest(weight: NumPyArray, sizes: tuple[int, ...], policy: Policy) -> NumPyArray:
    """The busiest GPU's load of each layer."""
    load: NumPyArray = report_of(plan(NUMPY, weight, sizes, policy=policy), weight, sizes).gpu_load.max(axis=1)
    return load


policies = st.builds(
    Policy,
    starts=st.integers(1, 3),
    noise=st.floats(0, 1),
    neighbourhood=st.sampled_from(["any", "lightest"]),
    rounds=st.integers(0, 12),
    threshold=st.sampled_from([0.0, 2.0**-20, 0.01]),
    seed=st.integers(0, 2**31 - 1),
)


small = st.integers(1, 4)


@st.composite
def problems(draw: st.DrawFn) -> tuple[NumPyArray, tuple[int, ...]]:
    """Loads and sizes of all proportions."""
    nodes, groups_per_node, experts_per_group, gpus_per_node, more_slots = (draw(small) for _ in range(5))
    groups, gpus = nodes * groups_per_node, nodes * gpus_per_node
    experts = groups * experts_per_group
    slots = -(-experts // gpus) + more_slots - 1
    return draw(weights((2, experts))), (gpus * slots, groups, nodes, gpus)
