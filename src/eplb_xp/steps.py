"""The two steps of a plan on their own, as EPLB has them."""

from eplb_xp.algorithms import pipeline
from eplb_xp.arguments import explained
from eplb_xp.checks import check_array, check_values_if_free
from eplb_xp.policy import Policy, as_policy
from eplb_xp.sizes import check_divisor, check_integer, check_sizes
from eplb_xp.types import A


@explained
def balanced_packing(weight: A, num_packs: int, *, policy: str | Policy = "greedy") -> tuple[A, A]:
    """Pack items so that every pack has the same number of items and the loads are even.

    Parameters
    ----------
    weight : [layers, items], integers or floats
        Load of each item; see `rebalance_experts`.
    num_packs : int
        Packs; divides the number of items.
    policy : str or Policy
        ``"greedy"``: heaviest item first, each into the lightest pack that is not full. The others try
        several orders, or swap items afterwards; see `Policy`.

    Returns
    -------
    pack_index : [layers, items] integers
        The pack of each item.
    rank_in_pack : [layers, items] integers
        Its place in the pack, from 0.

    Raises
    ------
    TypeError, ValueError
        Where ``weight`` or ``num_packs`` can't be used.

    Examples
    --------
    >>> import numpy as np
    >>> balanced_packing(np.array([[9, 7, 4, 1]]), 2)
    (array([[0, 1, 1, 0]]), array([[0, 0, 1, 1]]))
    """
    lib = check_array(weight, "items")
    packs = check_integer("num_packs", num_packs)
    check_divisor("num_packs", packs, "the number of items", weight.shape[1])
    policy = as_policy(policy)
    check_values_if_free(lib, weight)
    result: tuple[A, A] = lib.run(pipeline.pack_items, weight, num_packs=packs, policy=policy)
    return result


@explained
def replicate_experts(weight: A, num_phy: int) -> tuple[A, A, A]:
    """Hand out replicas so that the largest load per replica is as small as it can be.

    Every expert gets one; each further one goes to the expert with the largest load per replica so
    far, the first among equals. That is D'Hondt's rule.

    Parameters
    ----------
    weight : [layers, experts], integers or floats
        Tokens for each logical expert; see `rebalance_experts`.
    num_phy : int
        Replicas in all, at least the number of experts and at most 4093 more.

    Returns
    -------
    phy2log : [layers, num_phy] integers
        The expert of each replica: first every expert, then the others in the order handed out.
    rank : [layers, num_phy] integers
        Which replica of its expert it is, from 0.
    logcnt : [layers, experts] integers
        The number of replicas of each expert.

    Raises
    ------
    TypeError, ValueError
        Where ``weight`` or ``num_phy`` can't be used.

    Examples
    --------
    >>> import numpy as np
    >>> phy2log, rank, logcnt = replicate_experts(np.array([[9, 7, 4, 1]]), 6)
    >>> phy2log
    array([[0, 1, 2, 3, 0, 1]])
    """
    lib = check_array(weight)
    replicas = check_sizes(weight.shape[1], num_phy, 1, 1, 1, name="num_phy").num_replicas
    check_values_if_free(lib, weight)
    result: tuple[A, A, A] = lib.run(pipeline.replicate_loads, weight, num_replicas=replicas)
    return result
