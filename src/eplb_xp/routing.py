"""Routing: which replica each token goes to."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from eplb_xp.algorithms.routing import probabilities as parts
from eplb_xp.algorithms.routing import quotas as dividing
from eplb_xp.algorithms.routing.route import route_by_quota, route_in_turn
from eplb_xp.arguments import explained
from eplb_xp.backends import library_of
from eplb_xp.backends.standard import Standard
from eplb_xp.given import Given, check_experts_if_free, check_maps_if_free, check_plan
from eplb_xp.sizes import check_divisor, check_integer
from eplb_xp.types import A, Plan, Shares


@explained
def quotas(
    shares: Shares[A], plan: Plan[A] | tuple[A, A, A], counts: A, *, num_nodes: int = 1, rank: int | A | None = None
) -> A:
    """Divide the shares of the replicas among the ranks that tokens come from, near ones first.

    A replica takes first the tokens of the rank on its own GPU, then what ranks of its node still have, then what is
    left of all. In a node, and then in all, tokens of an expert are handed out in the order of ranks to replicas in the
    order of slots, so that every rank finds the same quotas from the same counts. No token more can stay on its GPU; of
    the others, none more on its node.

    Parameters
    ----------
    shares : Shares
        What `share_tokens` made of this plan and the sum of these counts.
    plan : Plan or triple of arrays
        ``phy2log`` [layers, replicas], ``log2phy`` [layers, experts, width] and ``logcnt`` [layers, experts], integers.
    counts : [layers, ranks, experts] integers
        Tokens of this batch that each rank has for each logical expert; rank r is on GPU r.
    num_nodes : int
        Nodes, with equally many contiguous GPUs each; divides their number. Static under ``jax.jit``.
    rank : int or array of no dimensions, optional
        The rank whose quotas are wanted; an array is traced. Without it those of all ranks, which are many numbers: a
        rank needs no others than its own.

    Returns
    -------
    [layers, ranks, experts, width] integers, or [layers, experts, width] of one rank
        For each replica the tokens of the rank that go to it or to one before it in ``log2phy``. Behind the last
        replica the last one is repeated: it is what the rank has for the expert.

    Raises
    ------
    TypeError
        Where an array is not of integers, or they are of different libraries, or ``shares`` is something else.
    ValueError
        Where shapes or sizes don't fit and, for arrays in host memory, where ``log2phy`` or ``logcnt`` is not of
        ``phy2log``, a count is negative, or counts don't add up to the tokens of the shares. Elsewhere negative counts
        are none, and tokens that are more than the shares go to the last replica.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import rebalance_experts, share_tokens
    >>> past = np.array([[20, 10, 20, 40]])
    >>> plan = rebalance_experts(past, 6, 1, 1, 2, policy="ring")
    >>> plan.log2phy[0, 3]  # slots 0 to 2 are on GPU 0
    array([ 1,  3, -1])
    >>> counts = np.array([[[10, 5, 10, 15], [5, 0, 5, 40]]])  # of two ranks
    >>> shares = share_tokens(plan, counts.sum(axis=1), 2)
    >>> shares.share[0, [1, 3]]
    array([29, 26])
    >>> quotas(shares, plan, counts)[0, :, 3]  # of rank 1 14 tokens go to the other GPU, which has room for no more
    array([[15, 15, 15],
           [14, 40, 40]])
    """
    lib = library_of("counts", counts)
    given = Given(lib, counts)
    given.check("counts", counts, "layers ranks experts")
    arrays = _check_shares(given, shares, plan)
    ranks, num_gpus = counts.shape[1], shares.gpu_load.shape[1]
    if ranks != num_gpus:
        raise ValueError(f"counts must be of as many ranks as shares are of GPUs: {ranks} ranks, {num_gpus} GPUs")
    nodes = check_integer("num_nodes", num_nodes)
    check_divisor("num_nodes", nodes, "the number of GPUs", num_gpus)
    _check_counts_if_free(lib, shares, arrays[1], counts)
    if rank is None:
        (quota,) = lib.run(dividing.quotas, *arrays, counts, num_nodes=nodes)
    else:
        each = _as_rank(lib, rank, ranks, arrays[-1])
        (quota,) = lib.run(dividing.quotas_of_rank, each, *arrays, counts, num_nodes=nodes)
    return cast("A", quota)


@explained
def probabilities(shares: Shares[A], plan: Plan[A] | tuple[A, A, A]) -> A:
    """Say how likely a token goes to each replica of its expert, so that the shares are what is to be expected.

    That is what SGLang calls ``log2phy_prob`` [1]_. Where shares are those of experts that are active, loads of 0 and
    1, each active expert has one replica of probability 1.

    Parameters
    ----------
    shares : Shares
        What `share_tokens` made of this plan.
    plan : Plan or triple of arrays
        ``phy2log`` [layers, replicas], ``log2phy`` [layers, experts, width] and ``logcnt`` [layers, experts], integers.

    Returns
    -------
    [layers, experts, width] float32
        Of each replica in ``log2phy`` the part of its expert's tokens, in whole units of 2^-24: those of an expert add
        up to 1, in any order exactly. Equal parts, to a unit, where an expert has no tokens; 0 behind the last replica.

    Raises
    ------
    TypeError, ValueError
        As `quotas`.

    References
    ----------
    .. [1] SGLang, https://github.com/sgl-project/sglang, srt/eplb/expert_location_dispatch.py

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import rebalance_experts, share_tokens
    >>> plan = rebalance_experts(np.array([[20, 10, 20, 40]]), 6, 1, 1, 2, policy="ring")
    >>> shares = share_tokens(plan, np.array([[15, 5, 15, 55]]), 2)
    >>> probabilities(shares, plan)[0, 3]
    array([0.5272727, 0.4727273, 0.       ], dtype=float32)
    """
    lib = library_of("phy2log", plan[0])
    (found,) = lib.run(parts.probabilities, *_check_shares(Given(lib, plan[0]), shares, plan))
    return cast("A", found)


@explained
def route(experts: A, plan: Sequence[A], quota: A | None = None, *, first: A | None = None) -> A:
    """Find the slot that each token of a layer goes to: its expert's replicas take turns, or tokens up to their quotas.

    Tokens of an expert are counted in the order in which they stand, choice after choice of a token. All is done with
    arrays of fixed shapes, so it is traced as part of a layer, in a scan over layers, too.

    Parameters
    ----------
    experts : [tokens, top_k] integers
        The logical expert of each choice of each token; negative ones are none (padding).
    plan : sequence of arrays
        Of this layer: ``log2phy`` [experts, width] and ``logcnt`` [experts], or the three arrays of a `Plan`, of which
        the first isn't read.
    quota : [experts, width] integers, optional
        What `quotas` says for this layer and rank: replica k takes the tokens of its expert that have at least
        ``quota[k - 1]`` and less than ``quota[k]`` before them, the last one all further ones. By default replicas take
        turns.
    first : [experts] integers, optional
        Tokens of each expert that this rank has routed before, of the same batch: where it comes in chunks.

    Returns
    -------
    [tokens, top_k] integers
        Slots, of the dtype of ``log2phy``; -1 where there is no expert.

    Raises
    ------
    TypeError
        Where an array is not of integers, ``log2phy`` not of signed ones, or they are of different libraries.
    ValueError
        Where shapes don't fit and, for ``experts`` in host memory, where one isn't there. Elsewhere that gives -1.

    Examples
    --------
    >>> import numpy as np
    >>> log2phy, logcnt = np.array([[0, 3, 4], [1, -1, -1], [2, 5, -1]]), np.array([3, 1, 2])
    >>> experts = np.array([[0, 1], [0, 2], [2, 0], [0, -1]])
    >>> route(experts, (log2phy, logcnt))
    array([[ 0,  1],
           [ 3,  2],
           [ 5,  4],
           [ 0, -1]])
    >>> route(experts, (log2phy, logcnt), np.array([[1, 1, 4], [1, 1, 1], [0, 2, 2]]))
    array([[ 0,  1],
           [ 4,  5],
           [ 5,  4],
           [ 4, -1]])
    """
    lib = library_of("experts", experts)
    if len(plan) not in {2, 3}:
        raise ValueError(f"plan must be log2phy and logcnt of a layer, or phy2log before them, got {len(plan)} arrays")
    *_, log2phy, logcnt = plan
    given = Given(lib, experts)
    given.check("experts", experts, "tokens top_k")
    given.check("logcnt", logcnt, "experts")
    given.check("log2phy", log2phy, "experts width")
    if not lib.xp.isdtype(log2phy.dtype, "signed integer"):
        raise TypeError(f"log2phy must be of signed integers, as it has -1, got dtype {log2phy.dtype}")
    if quota is not None:
        given.check("quota", quota, "experts width")
    if first is None:
        first = cast("Any", logcnt)[:0]  # to fill an array would cost a GPU a launch
    else:
        given.check("first", first, "experts")
    _check_ids_if_free(lib, experts, logcnt.shape[0])
    if quota is None:
        (slot,) = lib.run(route_in_turn, log2phy, logcnt, first, experts)
    else:
        (slot,) = lib.run(route_by_quota, quota, log2phy, logcnt, first, experts)
    return cast("A", slot)


def _check_shares(given: Given, shares: Any, plan: Any) -> tuple[Any, ...]:
    """Shares and plan fit together: the shares, and the arrays of the plan."""
    if not isinstance(shares, Shares):
        raise TypeError(f"shares must be what share_tokens returns, got {type(shares).__name__}")
    phy2log, log2phy, logcnt = plan
    given.check("logcnt", logcnt, "layers experts")
    given.check("log2phy", log2phy, "layers experts width")
    given.check("phy2log", phy2log, "layers replicas")
    given.check("shares.share", shares.share, "layers replicas")
    _, sizes = check_plan(given.lib, plan, logcnt, shares.gpu_load.shape[1])
    check_experts_if_free(given.lib, phy2log, logcnt.shape[1], sizes)
    check_maps_if_free(given.lib, plan)
    return shares.share, phy2log, log2phy, logcnt


def _as_rank(lib: Standard, rank: Any, ranks: int, each: Any) -> Any:
    """The rank for each layer: [layers, 1], where the plan is."""
    is_array = hasattr(rank, "shape") and not isinstance(rank, np.generic)
    if is_array:
        Given(lib, each).check("rank", rank, "")
    if not is_array or lib.is_readable(rank):
        number = check_integer("rank", int(lib.to_numpy(rank)) if is_array else rank, at_least=0)
        if number >= ranks:
            raise ValueError(f"rank must be less than {ranks}, the number of ranks, got {number}")
        return lib.xp.full_like(each[:, :1], number, dtype=lib.index_dtype)
    return lib.for_each_row(rank, each)


def _check_counts_if_free(lib: Standard, shares: Any, phy2log: Any, counts: Any) -> None:
    """Where reading costs nothing: no count is negative, and they are of the batch that the shares are of."""
    if not all(map(lib.is_readable, (shares.share, phy2log, counts))):
        return
    share, held, count = map(lib.to_numpy, (shares.share, phy2log, counts))
    if (count < 0).any():
        worst = np.unravel_index(np.argmin(count), count.shape)
        place = ", ".join(map(str, worst))
        raise ValueError(f"counts has negative ones, as {count[worst]} at [{place}]; they are tokens")
    tokens = np.zeros((count.shape[0], count.shape[2]), np.int64)
    np.add.at(tokens, (np.arange(len(tokens))[:, None], held), share)
    total = count.sum(axis=1, dtype=np.int64)
    if (total != tokens).any():
        layer, expert = np.unravel_index(np.argmax(total != tokens), total.shape)
        raise ValueError(
            f"counts must be of the batch that the shares are of: expert {expert} of layer {layer} has "
            f"{total[layer, expert]} tokens in counts, summed over ranks, and {tokens[layer, expert]} in shares"
        )


def _check_ids_if_free(lib: Standard, experts: Any, number: int) -> None:
    """Where reading costs nothing: no token goes to an expert that isn't there."""
    if lib.is_readable(experts):
        expert = lib.to_numpy(experts)
        if expert.size and expert.max() >= number:
            token, choice = np.unravel_index(np.argmax(expert), expert.shape)
            raise ValueError(
                f"experts names one that is not there: {expert[token, choice]} at [{token}, {choice}], "
                f"experts are 0 to {number - 1}, and negative where there is none"
            )
