"""Plans: replicas for busy experts, and a GPU for every replica."""

from dataclasses import replace
from typing import Any

from eplb_xp.algorithms import pipeline
from eplb_xp.algorithms.following import follow, for_samples
from eplb_xp.arguments import explained
from eplb_xp.backends.standard import Standard
from eplb_xp.checks import check_array, check_values_if_free
from eplb_xp.following import as_budget, as_min_gain, as_reach, check_no_previous, is_small, previous_slots
from eplb_xp.policy import Policy, as_policy, check_max_replicas
from eplb_xp.samples import by_layer, weighed
from eplb_xp.sizes import Sizes, check_sizes
from eplb_xp.types import A, Plan


@explained
def rebalance_experts(
    weight: A,
    num_replicas: int,
    num_groups: int,
    num_nodes: int,
    num_gpus: int,
    *,
    policy: str | Policy = "joint",
    max_replicas: int | None = None,
    previous: Plan[A] | tuple[A, ...] | A | None = None,
    max_moves: int | A | None = None,
    min_gain: float | A = 0.0,
    gpus_per_node: int | None = None,
    far_cost: int = 1,
    sample_weights: A | None = None,
) -> Plan[A]:
    """Plan how many replicas each expert gets and on which GPU each goes.

    A drop-in for the function of the same name in deepseek-ai/EPLB [1]_, for arrays of NumPy, JAX,
    PyTorch and other libraries of the Array API standard. The plan is better balanced than EPLB's, which
    ``policy="greedy"`` gives bit for bit. The same loads give the same plan, bit for bit, from every
    library; it is made on the device that the loads are on. Under ``jax.jit`` the sizes and the policy
    are static.

    Parameters
    ----------
    weight : [layers, experts] or [samples, layers, experts], integers or floats
        Tokens for each logical expert, of any width: float8 and int4 too, but not bool. They are cast
        to float32, never changed, and no gradient flows through. Values are checked where they lie in
        host memory; elsewhere a load that is NaN, infinite or negative counts as zero (see `check_loads`).
        So does, everywhere, a load under 2^-60 of its layer's largest (that one rounded down to a power
        of two) or under 2^-125. Of several samples, past steps or blocks of them (`eplb_xp.loads.samples`), the mean
        of the busiest GPU's load is made small: each sample is divided by its own tokens, and one without any is left
        out. Greedy and ring go by the mean of the samples alone, and so do the counts and the packing that swap and
        multistart swap replicas of. One sample is as no sample axis. Under ``jax.vmap`` and ``torch.vmap`` the axis
        that is mapped is no axis of ``weight``: what is left of three is layers and experts.
    num_replicas : int
        Physical experts, a multiple of ``num_gpus``, at least the number of experts and at most 4093 more.
    num_groups, num_nodes : int
        Where the groups divide over the nodes, whole groups are packed onto nodes and each node plans
        for itself (hierarchical); else both are ignored (global). ``1, 1`` is global too.
    num_gpus : int
        GPUs of all nodes, the GPUs of a node contiguous.
    policy : str or Policy
        How to plan. ``"joint"`` chooses replica counts and places together: it packs the replicas of many
        counts, refines the best, and keeps whatever has the lightest busiest GPU. ``"greedy"`` is EPLB's own
        plan; ``"swap"`` refines it by swaps between GPUs, and ``"multistart"`` tries 64 starts with a
        few swaps each. ``"ring"`` makes placements for engines that share each batch's tokens anew
        (`share_tokens`). All but greedy keep the replicas of an expert on different GPUs. See `Policy` for
        what they are made of.
    max_replicas : int, optional
        The most replicas of one expert, and the width of ``log2phy``, so that the width is the same
        for any number of replicas; by default it is ``num_replicas - experts + 1``. Only greedy refuses
        it, because EPLB caps no counts.
    previous : Plan, tuple of arrays or array, optional
        The plan in use: ``phy2log`` [layers, num_replicas] integers, or a tuple that begins with it. -1 is a slot that
        holds nothing; so is, where values aren't read, an id out of range, a replica beyond ``max_replicas``, and one
        on another node than most of its group. GPUs, and slots of a GPU, are called so that few slots move.
    max_moves : int or array of integers, shape () or [layers], optional
        How many slots of a layer may receive an expert that was not on their GPU, or not as often; with 0 the plan
        stays as it is. The plan is the previous one after the few steps that help most, never worse than it, and no
        GPU gets two replicas of an expert that hadn't; with policy ring only experts of one replica move, so that the
        ring stays. A fresh plan is taken where it is within the budget and better, which needs half of the slots or
        more; where sizes force replicas together, or greedy doubles them, it may double others than before.
        Without ``max_moves`` the plan is fresh. Needs ``previous``.
    min_gain : float or array of shape (), optional
        A layer whose busiest GPU would fall by less than this share keeps its plan, bit for bit. Needs ``previous``.
    gpus_per_node : int, optional
        GPUs of a node of the machine, contiguous; divides ``num_gpus``. It is where moves are near, and says nothing of
        ``num_nodes``, the nodes that a hierarchical plan keeps groups on. By default all GPUs are one node.
    far_cost : int
        How many moves one counts in ``max_moves`` whose expert no GPU of the same node held, at most 1000. So with 5
        the same budget buys mostly moves inside nodes. Needs ``max_moves`` and ``gpus_per_node``; a hierarchical plan
        has no far moves and refuses it.
    sample_weights : [samples] numbers, optional
        What each sample counts: its loads are multiplied by that, in 2^-12 of the largest, in place of being divided
        by their sum.

    Returns
    -------
    Plan
        ``phy2log`` [layers, replicas], ``log2phy`` [layers, experts, width] with the slots of an
        expert, then -1, and ``logcnt`` [layers, experts], of the library's index type: int64, in JAX
        int32 unless x64 is on. The slots of an expert ascend; greedy has them in EPLB's order, which
        is that in which the replicas were handed out.

    Raises
    ------
    TypeError
        Where ``weight`` is no array of real numbers, a size is no integer, or arrays are of different libraries.
    ValueError
        Where the sizes don't fit together, ``weight`` has another shape or bad loads, there is no
        such policy, or ``previous`` is of other sizes.

    Notes
    -----
    Slots of ``previous`` that hold nothing are filled: first with experts that are nowhere, whatever ``max_moves`` and
    ``min_gain`` say, then with replicas as far as ``max_moves`` goes, the others with a copy of an expert of their GPU,
    which moves nothing; of a GPU that holds none that may have more, they get others, whatever ``max_moves`` says. What
    is kept or not is judged after that.

    References
    ----------
    .. [1] DeepSeek-AI, Expert Parallelism Load Balancer, https://github.com/deepseek-ai/EPLB

    Examples
    --------
    >>> import numpy as np
    >>> weight = np.array([[45, 40, 25, 50, 30, 50]])
    >>> plan = rebalance_experts(weight, num_replicas=8, num_groups=1, num_nodes=1, num_gpus=4)
    >>> plan.phy2log
    array([[3, 2, 5, 2, 0, 4, 1, 4]])
    >>> plan.logcnt  # 62.5 on the busiest GPU
    array([[1, 1, 2, 1, 2, 1]])
    >>> rebalance_experts(weight, 8, 1, 1, 4, policy="greedy").logcnt  # EPLB's plan, 70
    array([[1, 1, 1, 2, 1, 2]])

    The load changes, and one slot may receive another expert:

    >>> later = np.array([[45, 70, 25, 40, 30, 40]])
    >>> rebalance_experts(later, 8, 1, 1, 4, previous=plan, max_moves=1).phy2log
    array([[3, 1, 5, 2, 0, 4, 1, 4]])
    """
    lib = check_array(weight, samples=True)
    sizes = check_sizes(weight.shape[-1], num_replicas, num_groups, num_nodes, num_gpus)
    policy = as_policy(policy)
    if max_replicas is not None:
        most = check_max_replicas(max_replicas, weight.shape[-1], sizes.num_replicas, policy)
        sizes = replace(sizes, max_replicas=most)
    far = as_reach(gpus_per_node, far_cost, max_moves, sizes)
    settings: dict[str, Any] = {"sizes": sizes, "policy": policy, "divides": sample_weights is None}
    if previous is None:
        check_no_previous(max_moves, min_gain)
        check_values_if_free(lib, weight)
        if sample_weights is None and len(weight.shape) == 2:
            result: Plan[A] = lib.run(pipeline.plan, weight, sizes=sizes, policy=policy)
            return result
    load = by_layer(lib, weight)
    if previous is None:
        return _fresh(lib, weighed(lib, sample_weights, load), **settings)
    slots, gain = previous_slots(lib, previous, load, sizes), as_min_gain(lib, min_gain, load)
    budget = None if max_moves is None else as_budget(lib, "max_moves", max_moves, load)
    check_values_if_free(lib, weight)
    load = weighed(lib, sample_weights, load)
    if budget is None:
        fresh = _fresh(lib, load, **settings)
        result = lib.run(follow.renew, slots, gain, fresh.phy2log, load, **settings)
    elif is_small(max_moves, sizes.num_replicas):
        result = lib.run(follow.follow, slots, budget, gain, load, **settings, **far)
    else:
        # No time for layers whose budget is too small for a fresh plan: they have no load there.
        may_be_fresh = (budget * follow.FRESH_FROM >= sizes.num_replicas)[:, :, None]
        fresh = _fresh(lib, lib.float32(load) * lib.float32(may_be_fresh), **settings)
        result = lib.run(follow.follow_or_renew, slots, budget, gain, fresh.phy2log, load, **settings, **far)
    return result


def _fresh(lib: Standard, load: Any, *, sizes: Sizes, policy: Policy, divides: bool) -> Plan[Any]:
    """A plan for loads [layers, samples, experts] that follows none."""
    if load.shape[1] == 1:
        made: Plan[Any] = lib.run(pipeline.plan, load[:, 0, :], sizes=sizes, policy=policy)
    else:
        made = lib.run(for_samples.plan_for_samples, load, sizes=sizes, policy=policy, divides=divides)
    return made


@explained
def rebalance_experts_hierarchical(
    weight: A,
    num_physical_experts: int,
    num_groups: int,
    num_nodes: int,
    num_gpus: int,
    *,
    policy: str | Policy = "greedy",
) -> tuple[A, A, A]:
    """Plan with whole groups of experts kept on nodes, as EPLB's function of the same name does.

    Parameters
    ----------
    weight : [layers, experts], integers or floats
        Tokens for each logical expert; see `rebalance_experts`.
    num_physical_experts : int
        Replicas, a multiple of ``num_gpus``, at least the number of experts and at most 4093 more.
    num_groups : int
        Groups of contiguous experts, a multiple of ``num_nodes``; divides the number of experts.
    num_nodes : int
        Nodes; divides ``num_gpus``.
    num_gpus : int
        GPUs of all nodes, the GPUs of a node contiguous.
    policy : str or Policy
        How to plan, by default as EPLB does; see `rebalance_experts`, whose default is another.

    Returns
    -------
    phy2log : [layers, replicas] integers
        The logical expert in each slot.
    rank : [layers, replicas] integers
        Which replica of its expert it is, from 0: in EPLB's order for greedy, else in that of the slots.
    logcnt : [layers, experts] integers
        The number of replicas of each expert.

    Raises
    ------
    TypeError, ValueError
        As `rebalance_experts`, and where the groups don't divide over the nodes.

    Examples
    --------
    >>> import numpy as np
    >>> weight = np.array([[30, 10, 50, 25, 80, 45]])
    >>> phy2log, rank, logcnt = rebalance_experts_hierarchical(weight, 8, 2, 2, 4)
    >>> phy2log
    array([[0, 1, 2, 2, 5, 3, 4, 4]])
    """
    lib = check_array(weight)
    sizes = check_sizes(
        *(weight.shape[1], num_physical_experts, num_groups, num_nodes, num_gpus),
        name="num_physical_experts",
        keeps_groups=True,
    )
    policy = as_policy(policy)
    check_values_if_free(lib, weight)
    placement: Any = lib.run(pipeline.place, weight, sizes=sizes, policy=policy)
    return placement.phy2log, placement.rank, placement.logcnt
