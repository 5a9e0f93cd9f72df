"""sglang-jax: eplb-xp in the place of its function ``rebalance_experts``, which plans once, at start."""

from typing import Any

import numpy as np

from eplb_xp.engines import placing, planner
from eplb_xp.engines.settings import asked_for


def register() -> None:
    """Put eplb-xp in the place of sglang-jax's planner; call it before a server starts.

    Without ``EPLB_XP_POLICY`` the policy is joint.

    Raises
    ------
    ValueError
        Where the environment asks for what there is not.
    """
    placing.put("sglang-jax", "sgl_jax.srt.eplb.eplb_algorithms", rebalance_experts)


def rebalance_experts(
    tokens_per_expert: "np.ndarray[Any, Any]",
    num_physical_experts: int,
    num_local_physical_experts: int,
    num_groups: int | None,
    num_nodes: int,
    algorithm: Any,
) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Plan as the function of this name in sglang-jax is asked to.

    Its static dispatch sends all tokens of an expert to the first of its slots. So the first ones are chosen for that:
    experts of most tokens first, each to the GPU of its replicas that has fewest tokens by then.

    Parameters
    ----------
    tokens_per_expert : [layers, experts] or [experts] numbers
        Tokens for each logical expert.
    num_physical_experts, num_local_physical_experts : int
        Slots of all GPUs; of one.
    num_groups : int or None
        Expert groups of the model.
    num_nodes : int
        Nodes of the deployment.
    algorithm : Enum
        Its EplbAlgorithm; groups are kept on nodes where its name ends in ``_hierarchical``.

    Returns
    -------
    phy2log, log2phy, logcnt
        [layers, replicas], [layers, experts, width] and [layers, experts] int64.
    """
    load = np.atleast_2d(np.asarray(tokens_per_expert))
    groups = num_groups if algorithm.name.endswith("_hierarchical") else None
    gpus = num_physical_experts // num_local_physical_experts
    made = planner.plan("sglang-jax", asked_for(), load, num_physical_experts, groups, num_nodes, gpus)
    return made.phy2log, first_spread(made.log2phy, load, num_local_physical_experts), made.logcnt


def first_spread(log2phy: "np.ndarray[Any, Any]", load: "np.ndarray[Any, Any]", slots: int) -> "np.ndarray[Any, Any]":
    """The slots of each expert, in turn so that the first ones are spread over GPUs of so many slots."""
    spread = log2phy.copy()
    for of_layer, tokens in zip(spread, load, strict=True):
        on_gpu = np.zeros(log2phy.max(initial=0) // slots + 1)
        single = of_layer[:, 1:].max(axis=1, initial=-1) < 0
        # Those that have no choice first.
        for expert in np.lexsort((-tokens, ~single)):
            of_expert = of_layer[expert]
            held = of_expert[of_expert >= 0]
            best = int(on_gpu[held // slots].argmin())
            of_layer[expert, : len(held)] = np.roll(held, -best)
            on_gpu[held[best] // slots] += tokens[expert]
    return spread
