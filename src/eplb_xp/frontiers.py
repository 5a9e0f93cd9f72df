"""What a move buys: the plans for every number of moves, and how moves are divided among layers."""

from dataclasses import replace
from typing import Any, cast

from eplb_xp.algorithms import slots
from eplb_xp.algorithms.following import frontier as paths
from eplb_xp.algorithms.following import spending
from eplb_xp.arguments import explained
from eplb_xp.backends import library_of
from eplb_xp.checks import check_array, check_values_if_free
from eplb_xp.following import as_budget, as_reach, previous_slots
from eplb_xp.policy import Policy, as_policy, check_max_replicas
from eplb_xp.samples import by_layer, weighed
from eplb_xp.sizes import check_integer, check_sizes
from eplb_xp.types import A, Frontier, Plan


@explained
def frontier(
    weight: A,
    num_replicas: int,
    num_groups: int,
    num_nodes: int,
    num_gpus: int,
    *,
    previous: Plan[A] | tuple[A, ...] | A,
    max_moves: int,
    policy: str | Policy = "joint",
    max_replicas: int | None = None,
    gpus_per_node: int | None = None,
    far_cost: int = 1,
    sample_weights: A | None = None,
) -> Frontier[A]:
    """Find the plans that follow a previous one by at most 0, 1, 2 and up to ``max_moves`` moves a layer, all at once.

    It takes about twice as long as one plan for one number of moves, and each of its plans is about as good as that one
    would be, about 0.001 of the balance apart.

    Parameters
    ----------
    weight : [layers, experts] or [samples, layers, experts], integers or floats
        Tokens for each logical expert; see `rebalance_experts`.
    num_replicas, num_groups, num_nodes, num_gpus : int
        The sizes, as `rebalance_experts` has them.
    previous : Plan, tuple of arrays or array
        The plan in use, as `rebalance_experts` takes it. Empty slots are filled as for no moves.
    max_moves : int
        The most slots of a layer that may receive an expert that was not on their GPU. Static under ``jax.jit``. More
        than all slots, each at ``far_cost``, are as many.
    policy : str or Policy
        Only whether it is a ring counts, in which experts of one replica alone move: no plan is made anew.
    max_replicas : int, optional
        The most replicas of one expert.
    gpus_per_node, far_cost : int
        What a move from another node counts, as `rebalance_experts` has it.
    sample_weights : [samples] numbers, optional
        What each sample counts, as `rebalance_experts` has it. With them ``busiest`` is a share of all tokens, each
        counted as its sample is.

    Returns
    -------
    Frontier
        ``phy2log`` [layers, max_moves + 1, replicas] and ``logcnt``, and what they bring under these loads: ``busiest``
        and ``balancedness`` [layers, max_moves + 1], both never worse with one move more. `plan_at` takes one out.

    Raises
    ------
    TypeError, ValueError
        As `rebalance_experts`.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import rebalance_experts
    >>> used = rebalance_experts(np.array([[45, 40, 25, 50, 30, 50], [10, 20, 30, 40, 50, 60]]), 8, 1, 1, 4)
    >>> later = np.array([[45, 70, 25, 40, 30, 40], [60, 20, 30, 40, 50, 10]])
    >>> found = frontier(later, 8, 1, 1, 4, previous=used, max_moves=3)
    >>> found.busiest
    array([[ 85.,  75.,  65.,  65.],
           [100.,  70.,  60.,  55.]], dtype=float32)

    A price for each move, in tokens on the busiest GPU, says how many are worth it in each layer:

    >>> (found.busiest + 9 * np.arange(4)).argmin(axis=-1)
    array([2, 2])
    """
    lib = check_array(weight, samples=True)
    experts = weight.shape[-1]
    sizes = check_sizes(experts, num_replicas, num_groups, num_nodes, num_gpus)
    policy = as_policy(policy)
    if max_replicas is not None:
        sizes = replace(sizes, max_replicas=check_max_replicas(max_replicas, experts, sizes.num_replicas, policy))
    most = check_integer("max_moves", max_moves, at_least=0)
    far = as_reach(gpus_per_node, far_cost, most, sizes)
    # No plan takes more.
    most = min(most, sizes.num_replicas * far["far_cost"])
    load = by_layer(lib, weight)
    used = previous_slots(lib, previous, load, sizes)
    check_values_if_free(lib, weight)
    load = weighed(lib, sample_weights, load)
    settings: dict[str, Any] = {"sizes": sizes, "policy": policy, "divides": sample_weights is None, **far}
    return cast("Frontier[A]", lib.run(paths.frontier, used, load, **settings, max_moves=most))


@explained
def plan_at(frontier: Frontier[A], moves: int | A, *, max_replicas: int | None = None) -> Plan[A]:
    """Take the plan for a number of moves out of a frontier.

    Parameters
    ----------
    frontier : Frontier
        From `eplb_xp.frontier`.
    moves : int or array of integers, shape () or [layers]
        How many; more than the frontier has are its last.
    max_replicas : int, optional
        The width of ``log2phy``, as the frontier was made with; by default the number of replicas - that of experts
        + 1.

    Returns
    -------
    Plan
        The same that the frontier has the figures of.

    Raises
    ------
    TypeError
        Where ``frontier`` is none, or ``moves`` is not of integers, or of another library.
    ValueError
        Where the shape of ``moves`` is another, ``max_replicas`` is less than 1 or, in host memory, a number of moves
        is below 0 or an expert has more replicas.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import frontier, rebalance_experts
    >>> used = rebalance_experts(np.array([[45, 40, 25, 50, 30, 50], [10, 20, 30, 40, 50, 60]]), 8, 1, 1, 4)
    >>> later = np.array([[45, 70, 25, 40, 30, 40], [60, 20, 30, 40, 50, 10]])
    >>> found = frontier(later, 8, 1, 1, 4, previous=used, max_moves=3)
    >>> plan_at(found, np.array([1, 3])).phy2log
    array([[3, 1, 5, 2, 0, 4, 1, 4],
           [3, 5, 2, 4, 0, 4, 0, 1]])
    """
    _check_frontier(frontier)
    lib = library_of("phy2log", frontier.phy2log)
    replicas = frontier.phy2log.shape[-1]
    experts = frontier.logcnt.shape[-1]
    width = replicas - experts + 1 if max_replicas is None else check_integer("max_replicas", max_replicas)
    if max_replicas is not None and lib.is_readable(frontier.logcnt):
        most = int(lib.to_numpy(frontier.logcnt).max(initial=0))
        if most > width:
            raise ValueError(f"max_replicas must be at least {most}, which an expert of the frontier has, got {width}")
    at = as_budget(lib, "moves", moves, frontier.phy2log)
    xp, held = lib.xp, cast("Any", frontier.phy2log)
    number = xp.cumulative_sum(xp.ones_like(held[:, :, 0], dtype=lib.index_dtype), axis=1, dtype=lib.index_dtype)
    here = number - 1 == xp.clip(at, None, held.shape[1] - 1)
    phy2log = xp.max(held * xp.astype(here, held.dtype)[:, :, None], axis=1)
    log2phy, logcnt = lib.run(slots.logical_maps, phy2log, num_experts=experts, width=width)
    return Plan(phy2log, log2phy, logcnt)


@explained
def spend(frontier: Frontier[A], total: int | A) -> A:
    """Divide a number of moves among the layers of a frontier, so that the busiest GPUs of all together have least.

    A step goes through all layers, each as long as its busiest GPU takes. The division is the best there is, found
    layer by layer [1]_.

    Parameters
    ----------
    frontier : Frontier
        From `eplb_xp.frontier`.
    total : int or array of integers of shape ()
        Moves of all layers together; what is more than the frontier has for all is left over.

    Returns
    -------
    [layers] integers
        Moves for each layer, for `plan_at`; no more than bring anything.

    Raises
    ------
    TypeError
        Where ``frontier`` is none, or ``total`` is no integer, or of another library.
    ValueError
        Where it has dimensions or, in host memory, is below 0.

    References
    ----------
    .. [1] The multiple-choice knapsack problem: H. Kellerer, U. Pferschy, D. Pisinger, Knapsack Problems, Springer
       2004, chapter 11.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import frontier, rebalance_experts
    >>> used = rebalance_experts(np.array([[45, 40, 25, 50, 30, 50], [10, 20, 30, 40, 50, 60]]), 8, 1, 1, 4)
    >>> later = np.array([[45, 70, 25, 40, 30, 40], [60, 20, 30, 40, 50, 10]])
    >>> found = frontier(later, 8, 1, 1, 4, previous=used, max_moves=3)
    >>> spend(found, 3)
    array([2, 1])
    """
    _check_frontier(frontier)
    lib = library_of("busiest", frontier.busiest)
    shape = tuple(getattr(total, "shape", ()))
    if shape != ():
        raise ValueError(f"total must be an integer or an array of no dimensions, got shape {shape}")
    # As of one layer; there may be none.
    all_layers = lib.xp.sum(frontier.busiest, keepdims=True)[None, :, :]
    most = as_budget(lib, "total", total, all_layers)
    (made,) = lib.run(spending.spend, most[0, :], frontier.busiest)
    return cast("A", made)


def _check_frontier(frontier: Any) -> None:
    if not isinstance(frontier, Frontier):
        raise TypeError(f"frontier must be a Frontier, which eplb_xp.frontier makes, got {type(frontier).__name__}")
