"""Arguments that engines pass and a function hasn't: a sentence that says what to do, before any work."""

import doctest
import inspect
import pickle
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
import torch

import eplb_xp
from eplb_xp import POLICIES, rebalance_experts
from tests.support.calls import CALLS, PHY2LOG, WEIGHT, Call, every_call

PREVIOUS = "pass it as previous"
NO_PREVIOUS = "this function makes no use of a previous placement, rebalance_experts does: it has previous"
NAMES = "pass policy, one of 'greedy', 'swap', 'multistart', 'joint', 'ring'"


@every_call
@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("old_global_expert_indices", f"({PREVIOUS}|{NO_PREVIOUS})"),
        ("old_phy2log", f"({PREVIOUS}|{NO_PREVIOUS})"),
        ("rank_mapping", "all GPUs count: num_gpus is the number of those that are up"),
        ("enable_hierarchical", "whole groups stay on nodes where num_groups divide over num_nodes"),
        ("num_local_physical_experts", "num_gpus is num_physical_experts // num_local_physical_experts"),
        ("num_logical_experts", "weight has as many columns, leave it out"),
        ("tokens_per_expert", "pass it as weight"),
        ("weights", "pass it as weight"),
        ("wieght", "pass it as weight"),
        ("something", "its arguments are (plan, )?weight"),
    ],
)
def test_keywords_that_no_function_has(call: Call, name: str, instead: str) -> None:
    with pytest.raises(TypeError, match=rf"^{call.function.__name__}\(\) takes no {name}: {instead}"):
        call.function(*call.first, WEIGHT, **call.sizes, **{name: PHY2LOG})


@pytest.mark.parametrize(
    ("name", "keyword", "instead"),
    [
        ("rebalance", "algorithm", NAMES),
        ("hierarchical", "algorithm", NAMES),
        ("packing", "algorithm", NAMES),
        ("rebalance", "num_physical_experts", "pass it as num_replicas"),
        ("hierarchical", "num_replicas", "pass it as num_physical_experts"),
        ("replication", "num_physical_experts", "pass it as num_phy"),
        ("rebalance", "num_ranks", "pass it as num_gpus"),
        ("packing", "num_gpus", "pass it as num_packs"),
        ("rebalance", "n_group", "pass it as num_groups"),
        ("evaluation", "phy2log", "pass it as plan"),
        ("rebalance", "physical_to_logical_map", PREVIOUS),
        ("rebalance", "old_global_expert_indices", PREVIOUS),
        ("hierarchical", "old_global_expert_indices", NO_PREVIOUS),
    ],
)
def test_keywords_that_another_function_has(name: str, keyword: str, instead: str) -> None:
    with pytest.raises(TypeError, match=rf"takes no {keyword}: {instead}$"):
        CALLS[name].function(**{keyword: 3})


def test_all_that_is_not_taken_is_said_at_once() -> None:
    sizes = {"num_physical_experts": 6, "num_groups": None, "num_nodes": 1, "algorithm": "deepseek"}
    with pytest.raises(TypeError, match=r"takes no tokens_per_expert: .*; no num_physical_experts: .*; no algorithm: "):
        CALLS["rebalance"].function(tokens_per_expert=WEIGHT, **sizes)


@every_call
@pytest.mark.parametrize("old", [PHY2LOG, torch.asarray(PHY2LOG), None])
def test_a_placement_too_many(call: Call, old: Any) -> None:
    given = [*call.first, WEIGHT, *call.sizes.values()]
    instead = {
        "evaluate": "by keyword there are num_groups, num_nodes, shares",
        "rebalance_experts": "pass a previous placement as previous",
        "share_tokens": "by keyword there are prepared, rounds, tolerance",
    }.get(call.function.__name__, NO_PREVIOUS)
    number = f"takes {len(given)} arguments? by position .*, got {len(given) + 1}"
    with pytest.raises(TypeError, match=f"{number}: {instead}$"):
        call.function(*given, old)


@pytest.mark.parametrize(
    ("sixth", "instead"),
    [
        ("greedy", "pass policy='greedy'"),
        ("deepseek", NAMES),
        (POLICIES["swap"], r"pass policy=Policy\(.*\)"),
        (
            True,
            (
                "by keyword there are policy, max_replicas, previous, max_moves, min_gain, gpus_per_node, far_cost, "
                "sample_weights"
            ),
        ),
    ],
)
def test_a_sixth_argument(sixth: Any, instead: str) -> None:
    taken = r"takes 5 arguments by position \(weight, num_replicas, num_groups, num_nodes, num_gpus\), got 6"
    with pytest.raises(TypeError, match=rf"^rebalance_experts\(\) {taken}: {instead}$"):
        rebalance_experts(WEIGHT, 6, 1, 1, 2, sixth)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=f"got 3: {NO_PREVIOUS}"):
        eplb_xp.replicate_experts(WEIGHT, 6, None)  # type: ignore[call-arg]


def test_type_checkers_refuse_them_too() -> None:
    with pytest.raises(TypeError, match=PREVIOUS):
        rebalance_experts(WEIGHT, 6, 1, 1, 2, old_global_expert_indices=PHY2LOG)  # type: ignore[call-arg]


def test_python_says_what_is_missing_or_given_twice() -> None:
    with pytest.raises(TypeError, match=r"rebalance_experts\(\) missing 1 required positional argument: 'num_gpus'"):
        rebalance_experts(WEIGHT, 6, 1, 1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="multiple values for argument 'weight'"):
        rebalance_experts(WEIGHT, 6, 1, 1, 2, weight=WEIGHT)  # type: ignore[misc]


@every_call
def test_functions_are_what_they_were(call: Call) -> None:
    function: Any = call.function
    assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301 # our own
    assert inspect.signature(function) == inspect.signature(inspect.unwrap(function))
    module = sys.modules[function.__module__]
    examples = [test for test in doctest.DocTestFinder().find(module) if test.name.endswith(f".{function.__name__}")]
    assert examples[0].examples


def test_sizes_and_policies_may_be_static_by_place_and_by_name() -> None:
    planned = jax.jit(rebalance_experts, static_argnums=(1, 2, 3, 4), static_argnames="policy")
    plan = planned.eval_shape(jnp.asarray(WEIGHT), 6, 1, 1, 2, policy="greedy")
    assert plan.phy2log.shape == (2, 6)
    with pytest.raises(TypeError, match=PREVIOUS):
        planned.eval_shape(jnp.asarray(WEIGHT), 6, 1, 1, 2, old_global_expert_indices=jnp.asarray(PHY2LOG))


@pytest.mark.parametrize("fullgraph", [False, True])
def test_torch_compile_shows_the_sentence(fullgraph: bool) -> None:
    compiled: Callable[..., Any] = torch.compile(rebalance_experts, fullgraph=fullgraph, backend="eager")
    with pytest.raises((TypeError, torch._dynamo.exc.Unsupported), match=PREVIOUS):
        compiled(torch.asarray(WEIGHT), 6, 1, 1, 2, old_global_expert_indices=None)


def test_errors_of_the_function_itself_are_left_alone() -> None:
    with pytest.raises(TypeError, match="weight must be an array of NumPy"):
        rebalance_experts([[1.0, 2.0]], 6, 1, 1, 2)  # type: ignore[type-var]
