"""How good a plan is."""

from typing import Any, cast, overload

from eplb_xp.algorithms import evaluation
from eplb_xp.algorithms.sharing import report
from eplb_xp.arguments import explained
from eplb_xp.backends.standard import Standard
from eplb_xp.checks import check_array, check_values_if_free
from eplb_xp.given import check_experts_if_free, check_plan
from eplb_xp.sharing import ROUNDS, TOLERANCE, as_tolerance, check_shares
from eplb_xp.sizes import Sizes
from eplb_xp.types import A, Plan, Report, SharedReport, Shares


@overload
def evaluate(
    plan: Plan[A] | tuple[A, A, A],
    weight: A,
    num_gpus: int,
    *,
    num_groups: int = ...,
    num_nodes: int = ...,
    shares: None = ...,
) -> Report[A]: ...


@overload
def evaluate(
    plan: Plan[A] | tuple[A, A, A],
    weight: A,
    num_gpus: int,
    *,
    num_groups: int = ...,
    num_nodes: int = ...,
    shares: Shares[A] | A,
) -> SharedReport[A]: ...


@explained
def evaluate(
    plan: Plan[A] | tuple[A, A, A],
    weight: A,
    num_gpus: int,
    *,
    num_groups: int = 1,
    num_nodes: int = 1,
    shares: Shares[A] | A | None = None,
) -> Report[A] | SharedReport[A]:
    """Measure a plan, made by anyone, on loads, and compare it with what no plan can beat.

    Parameters
    ----------
    plan : Plan or triple of arrays
        Only its first array is read: ``phy2log`` [layers, replicas] integers, the expert in each slot.
    weight : [layers, experts] or [samples, layers, experts], integers or floats
        Tokens for each logical expert, of the same library. Each sample is judged by itself.
    num_gpus : int
        GPUs, with equally many contiguous slots each.
    num_groups, num_nodes : int
        With groups that divide over the nodes, the plan is held to keep whole groups on nodes,
        equally many on each, and the bound is that of such plans.
    shares : Shares or [layers, replicas] numbers, optional
        How an expert's tokens are divided among its replicas: in proportion to these, where they are not all zero; as
        whole numbers or as `share_tokens` rounds its loads. By default equally.

    Returns
    -------
    Report, or SharedReport with ``shares``
        ``gpu_load`` [layers, gpus], ``balancedness``, ``lower_bound``, ``gap`` and ``doubled`` [layers]; of samples all
        of these are [samples, layers, ...]. ``lower_bound`` holds for every plan of this shape whose replicas share
        equally; with ``shares`` for all shares of this plan, and ``best_balancedness`` [layers] is the balance under
        the best of them.

    Raises
    ------
    TypeError
        Where an array is not of numbers of the right kind, or the two are of different libraries.
    ValueError
        Where shapes or sizes don't fit and, for arrays in host memory, where the plan misses an expert,
        names one that isn't there, or splits a group over nodes. Elsewhere values aren't read, and an
        expert that isn't there counts as the nearest one that is.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import rebalance_experts, share_tokens
    >>> weight = np.array([[30, 10, 50, 25, 80, 45]])
    >>> found = evaluate(rebalance_experts(weight, 8, 1, 1, 4), weight, 4)
    >>> found.gpu_load
    array([[60. , 62.5, 62.5, 55. ]], dtype=float32)
    >>> found.doubled
    array([0])

    The next batch, with equal shares and with the best ones:

    >>> batch = np.array([[20, 20, 40, 60, 75, 25]])
    >>> plan = rebalance_experts(weight, 8, 1, 1, 4, policy="ring")
    >>> evaluate(plan, batch, 4).balancedness
    array([0.61538464], dtype=float32)
    >>> evaluate(plan, batch, 4, shares=share_tokens(plan, batch, 4)).balancedness
    array([0.7692308], dtype=float32)
    """
    lib = check_array(weight, samples=True)
    phy2log, sizes = check_plan(lib, plan, weight, num_gpus, num_groups=num_groups, num_nodes=num_nodes)
    check_values_if_free(lib, weight)
    check_experts_if_free(lib, phy2log, weight.shape[-1], sizes)
    share = None if shares is None else check_shares(lib, shares, phy2log, weight)
    if len(weight.shape) == 2:
        return cast("Report[A]", _report(lib, phy2log, share, weight, sizes))
    # The layers of one sample after those of the other.
    samples, layers, experts = weight.shape
    xp = lib.xp

    def of_each(x: Any) -> Any:
        slots = x.shape[-1]
        return xp.reshape(xp.broadcast_to(x[None, :, :], (samples, layers, slots)), (samples * layers, slots))

    share = None if share is None else of_each(share)
    found = _report(lib, of_each(phy2log), share, xp.reshape(weight, (samples * layers, experts)), sizes)
    return cast("Report[A]", type(found)(*(xp.reshape(x, (samples, layers, *x.shape[1:])) for x in found)))


def _report(lib: Standard, phy2log: Any, share: Any, weight: Any, sizes: Sizes) -> Any:
    if share is None:
        return lib.run(evaluation.report, phy2log, weight, sizes=sizes)
    tolerance = as_tolerance(lib, TOLERANCE, weight)
    step = report.shared_report
    return lib.run(step, phy2log, share, tolerance, weight, num_gpus=sizes.num_gpus, rounds=ROUNDS)
