"""Shares: how many tokens of a batch each replica takes."""

from typing import Any

import numpy as np

from eplb_xp.algorithms.sharing import prepared as preparing
from eplb_xp.algorithms.sharing import shares
from eplb_xp.algorithms.sharing.tokens import MOST_TOKENS
from eplb_xp.arguments import explained
from eplb_xp.backends import library_of
from eplb_xp.backends.standard import Standard
from eplb_xp.checks import check_array, check_values_if_free
from eplb_xp.given import check_experts_if_free, check_library, check_plan
from eplb_xp.policy import MOST_ROUNDS
from eplb_xp.sizes import check_integer, check_number
from eplb_xp.types import A, Plan, Prepared, Shares

ROUNDS = 64
TOLERANCE = 2.0**-10


@explained
def share_tokens(
    plan: Plan[A] | tuple[A, A, A],
    weight: A,
    num_gpus: int,
    *,
    prepared: Prepared[A] | None = None,
    rounds: int = ROUNDS,
    tolerance: Any = TOLERANCE,
) -> Shares[A]:
    """Divide this batch's tokens among the replicas of a plan so that the busiest GPU has as few as can be.

    No weights move, and any plan will do; those of policy ``"ring"`` are made for it. It is a linear program, and
    every answer comes with a proof. Layers that are rings, each expert on neighbours, are solved exactly, without
    rounds; in the others pairs of GPUs that hold the same expert level their loads, round by round. All is done in
    integers, so every library gives the same shares, bit for bit, on the device that the arrays are on.

    Parameters
    ----------
    plan : Plan or triple of arrays
        Only its first array is read: ``phy2log`` [layers, replicas] integers, the expert in each slot. Replicas of an
        expert on one GPU are one: the first of them takes its tokens.
    weight : [layers, experts], integers or floats
        Tokens of this batch for each logical expert, summed over all ranks. Those of an earlier batch give shares that
        are no better than equal ones. A layer may have 2^30 - 1 tokens; where values are not read, integers are halved
        until they fit, and one above 2^30 counts as 2^30. Floats that are whole numbers are tokens; a layer that has
        others is scaled by the power of two that makes its largest load 2^28 to 2^29 divided by the number of experts
        (that one rounded up to a power of two), and rounded down to whole units: then shares, loads and bound are in
        those units.
    num_gpus : int
        GPUs, with equally many contiguous slots each.
    prepared : Prepared, optional
        What `prepare_shares` made of this plan, once for many batches.
    rounds : int
        The most rounds, at most 1048576; 0 gives equal shares where a layer is not a ring. Static under ``jax.jit``.
    tolerance : float
        A layer is done when its busiest GPU is at most this share above the bound, rounded up to whole tokens; from 0
        to 1. An array of no dimensions is traced.

    Returns
    -------
    Shares
        ``share`` [layers, replicas], ``gpu_load`` [layers, gpus], ``busiest``, ``lower_bound``, ``proof``
        [layers, gpus], ``gap`` and ``rounds`` [layers]. A layer's do not depend on the other layers.

    Raises
    ------
    TypeError
        Where an array is not of numbers of the right kind, or they are of different libraries.
    ValueError
        Where shapes or sizes don't fit and, for arrays in host memory, where the plan misses an expert, names one
        that isn't there, a load is bad, or a layer has more tokens.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import rebalance_experts
    >>> past, batch = np.array([[30, 10, 50, 25, 80, 45]]), np.array([[20, 20, 40, 60, 75, 25]])
    >>> plan = rebalance_experts(past, 8, 1, 1, 4, policy="ring")
    >>> plan.phy2log
    array([[2, 5, 2, 0, 4, 3, 4, 1]])
    >>> shares = share_tokens(plan, batch, 4)
    >>> shares.share  # of the 75 tokens of expert 4 one replica takes 18, the other 57
    array([[40, 25,  0, 20, 18, 60, 57, 20]])
    >>> shares.busiest, shares.lower_bound, shares.proof
    (array([78]), array([77.5], dtype=float32), array([[False, False,  True,  True]]))
    """
    lib = check_array(weight)
    phy2log, sizes = check_plan(lib, plan, weight, num_gpus)
    check_integer("rounds", rounds, at_least=0)
    if rounds > MOST_ROUNDS:
        raise ValueError(f"rounds must be at most {MOST_ROUNDS}, got {rounds}")
    its_tolerance = as_tolerance(lib, tolerance, weight)
    has_all_experts = False
    if prepared is not None:
        check_prepared(lib, prepared, phy2log, weight)
        has_all_experts = _check_places_if_free(lib, prepared, phy2log, weight.shape[1], sizes.num_gpus)
    check_values_if_free(lib, weight)
    _check_tokens_if_free(lib, weight)
    if not has_all_experts:
        check_experts_if_free(lib, phy2log, weight.shape[1], sizes)
    step = shares.share_of_plan if prepared is None else shares.share
    its_plan = (phy2log,) if prepared is None else prepared
    result: Shares[A] = lib.run(step, *its_plan, its_tolerance, weight, num_gpus=sizes.num_gpus, rounds=rounds)
    return result


@explained
def prepare_shares(plan: Plan[A] | tuple[A, A, A], num_gpus: int) -> Prepared[A]:
    """Find out once per plan what `share_tokens` needs to know of it; without it the same is done in each call.

    Parameters
    ----------
    plan : Plan or triple of arrays
        ``phy2log`` [layers, replicas] integers, the expert in each slot; of ``logcnt`` [layers, experts] only the shape
        is read.
    num_gpus : int
        GPUs, with equally many contiguous slots each.

    Returns
    -------
    Prepared
        For ``share_tokens(..., prepared=...)``, with this plan and this number of GPUs alone.

    Raises
    ------
    TypeError, ValueError
        As `share_tokens`.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import rebalance_experts
    >>> plan = rebalance_experts(np.array([[30, 10, 50, 25, 80, 45]]), 8, 1, 1, 4, policy="ring")
    >>> prepared = prepare_shares(plan, 4)
    >>> share_tokens(plan, np.array([[20, 20, 40, 60, 75, 25]]), 4, prepared=prepared).busiest
    array([78])
    """
    lib = library_of("phy2log", plan[0])
    phy2log, sizes = check_plan(lib, plan, plan[2], num_gpus)
    check_experts_if_free(lib, phy2log, plan[2].shape[1], sizes)
    result: Prepared[A] = lib.run(preparing.prepare, phy2log, num_experts=plan[2].shape[1], num_gpus=sizes.num_gpus)
    return result


def check_prepared(lib: Standard, prepared: Any, phy2log: Any, weight: Any) -> None:
    """It is of a plan of these shapes."""
    if not isinstance(prepared, Prepared):
        raise TypeError(f"prepared must be what prepare_shares returns, got {type(prepared).__name__}")
    layers, experts = weight.shape
    replicas = phy2log.shape[1]
    per_expert = (layers, experts)
    shapes = ((layers, replicas), (layers, preparing.linked(replicas, experts)), *[per_expert] * 4, (layers, 1))
    for name, x, shape in zip(Prepared._fields, prepared, shapes, strict=True):
        check_library(lib, f"prepared.{name}", x, weight)
        if tuple(x.shape) != shape:
            raise ValueError(
                f"prepared is of another plan: prepared.{name} has shape {tuple(x.shape)}, of this plan it has {shape}"
            )


def _check_places_if_free(lib: Standard, prepared: Any, phy2log: Any, experts: int, num_gpus: int) -> bool:
    """Where reading costs nothing: it has the experts of this plan in the places of so many GPUs.

    Whether so much is known of the plan, too: it has all experts, none twice on a GPU.
    """
    if not (lib.is_readable(phy2log) and lib.is_readable(prepared.expert) and lib.is_readable(prepared.holders)):
        return False
    layers, replicas = phy2log.shape
    slots = lib.to_numpy(phy2log).reshape(layers, num_gpus, replicas // num_gpus)
    places = lib.to_numpy(prepared.expert).reshape(layers, replicas // num_gpus, num_gpus).transpose(0, 2, 1)
    differs = places != slots
    held = np.sort(slots, axis=2)
    is_again = held[:, :, 1:] == held[:, :, :-1]
    if not differs.any() and not is_again.any():  # as usual
        return bool((lib.to_numpy(prepared.holders) > 0).all())
    others = differs & (places != experts)
    again = np.count_nonzero(is_again, axis=(1, 2))
    wrong = others.any(axis=(1, 2)) | (np.count_nonzero(places == experts, axis=(1, 2)) != again)
    if wrong.any():
        raise ValueError(
            f"prepared is of another plan or another number of GPUs: it has not what {num_gpus} GPUs hold "
            f"in layer {wrong.argmax()}"
        )
    return False


def as_tolerance(lib: Standard, tolerance: Any, weight: Any) -> Any:
    """The tolerance for each layer: [layers, 1] float32, where the loads are."""
    xp, each = lib.xp, weight[:, :1]
    if not hasattr(tolerance, "shape") or isinstance(tolerance, np.generic):
        check_number("tolerance", tolerance, 0, 1)
        return xp.full_like(each, float(tolerance), dtype=xp.float32)
    check_library(lib, "tolerance", tolerance, weight)
    if tuple(tolerance.shape) != ():
        raise ValueError(f"tolerance must be a number or an array of no dimensions, got shape {tuple(tolerance.shape)}")
    return xp.zeros_like(each, dtype=xp.float32) + xp.clip(lib.float32(tolerance), 0.0, 1.0)


def _check_tokens_if_free(lib: Standard, weight: Any) -> None:
    """Where reading costs nothing: no layer has more tokens than fit."""
    if lib.is_integer(weight) and lib.is_readable(weight):
        total = lib.to_numpy(weight).sum(axis=1, dtype="float64")
        if total.size and total.max() > MOST_TOKENS:
            layer = total.argmax()
            raise ValueError(
                f"a layer may have at most 2^30 - 1 tokens, got {int(total[layer])} in layer {layer}; "
                "divide the counts, or give them as floats"
            )


def check_shares(lib: Standard, given: Any, phy2log: Any, weight: Any) -> Any:
    """The shares of the slots, of `Shares` or as an array."""
    share = given.share if isinstance(given, Shares) else given
    check_library(lib, "shares", share, weight)
    if not lib.is_real(share):
        raise TypeError(f"shares must be of integers or real floats, got dtype {share.dtype}")
    if tuple(share.shape) != tuple(phy2log.shape):
        raise ValueError(f"shares must have the shape of phy2log, {tuple(phy2log.shape)}, got {tuple(share.shape)}")
    return share
