"""Plans on the GPUs that are up, of a deployment some of whose are not."""

from typing import Any, cast

import numpy as np

from eplb_xp.arguments import explained
from eplb_xp.backends import library_of
from eplb_xp.checks import check_array, check_values
from eplb_xp.given import check_library
from eplb_xp.planning import rebalance_experts
from eplb_xp.policy import Policy
from eplb_xp.sizes import check_sizes
from eplb_xp.types import A, Plan


@explained
def on_active(
    weight: A,
    num_replicas: int,
    num_groups: int,
    num_nodes: int,
    num_gpus: int,
    active_gpus: Any,
    *,
    policy: str | Policy = "joint",
    previous: Plan[A] | tuple[A, ...] | A | None = None,
    max_moves: int | None = None,
    min_gain: float = 0.0,
) -> Plan[A]:
    """Plan on the GPUs that are up; the slots of the others hold expert 0, and no expert is sent there.

    It is what engines with elastic expert parallelism expect: as many slots as ever, those of GPUs that are down among
    them. Every expert has a replica on a GPU that is up. Everything is read on the host, from any device.

    Parameters
    ----------
    weight : [layers, experts] or [samples, layers, experts], integers or floats
        Tokens for each logical expert; see `eplb_xp.rebalance_experts`.
    num_replicas : int
        Slots of all GPUs, up or down, a multiple of ``num_gpus``.
    num_groups, num_nodes : int
        As there. While a GPU is down, plans are global: nodes are no longer alike.
    num_gpus : int
        GPUs, up or down.
    active_gpus : [gpus] numbers or truth values
        Whether each GPU is up, not zero if so. Entries beyond the first ``num_gpus`` are not looked at: some engines
        have them for GPUs to come.
    policy : str or Policy
        How to plan.
    previous : Plan, tuple of arrays or array, optional
        The plan in use, of all GPUs. What it has on those that are down is lost.
    max_moves : int, optional
        As there. Experts that were on no other GPU than those that are down are put back, whatever it says.
    min_gain : float
        As there.

    Returns
    -------
    Plan
        ``phy2log`` [layers, replicas], 0 in slots of GPUs that are down; ``log2phy`` [layers, experts, width] and
        ``logcnt`` [layers, experts], in which these are not.

    Raises
    ------
    TypeError, ValueError
        As `eplb_xp.rebalance_experts`, and where ``active_gpus`` has too few entries, no GPU is up, or those that are
        have fewer slots than there are experts: the message names one that would be left without a replica.

    Examples
    --------
    >>> import numpy as np
    >>> weight = np.array([[45, 40, 25, 50, 30, 50]])
    >>> plan = on_active(weight, 12, 1, 1, 4, active_gpus=[1, 1, 0, 1])
    >>> plan.phy2log
    array([[3, 1, 4, 5, 1, 4, 0, 0, 0, 0, 2, 4]])
    >>> plan.log2phy[0, 0]  # not in slots 6 to 8, which are down
    array([ 9, -1, -1, -1])
    """
    lib = check_array(weight, samples=True)
    layers, experts = weight.shape[-2:]
    sizes = check_sizes(experts, num_replicas, num_groups, num_nodes, num_gpus)
    is_up = as_active(active_gpus, sizes.num_gpus)
    options: dict[str, Any] = {"policy": policy, "max_moves": max_moves, "min_gain": min_gain}
    if is_up.all():
        return rebalance_experts(weight, num_replicas, num_groups, num_nodes, num_gpus, previous=previous, **options)
    check_values(lib, weight)
    load = lib.to_numpy(weight)
    up = int(is_up.sum())
    slot = np.flatnonzero(np.repeat(is_up, sizes.num_replicas // sizes.num_gpus))  # [slots of GPUs that are up]
    if len(slot) < experts:
        expert = int(load.reshape(-1, experts).sum(axis=0, dtype=np.float64).argmin())
        raise ValueError(
            f"{experts - len(slot)} experts would have no live replica, expert {expert} of the least load among them: "
            f"{up} of {sizes.num_gpus} GPUs are up and have {len(slot)} slots for {experts} experts"
        )
    if previous is not None:
        old = previous[0] if isinstance(previous, tuple) else previous
        check_library(lib, "previous", old, weight)
        if tuple(old.shape) != (layers, sizes.num_replicas):
            raise ValueError(
                f"previous must have shape [layers, num_replicas], here {(layers, sizes.num_replicas)}, "
                f"got {tuple(old.shape)}"
            )
        options["previous"] = lib.to_numpy(old)[:, slot]
    made = rebalance_experts(load, len(slot), 1, 1, up, **options)
    phy2log = np.zeros((layers, sizes.num_replicas), made.phy2log.dtype)
    phy2log[:, slot] = made.phy2log
    log2phy = np.where(made.log2phy >= 0, slot[made.log2phy], -1)
    xp, device = lib.xp, getattr(weight, "device", None)
    return cast("Plan[A]", Plan(*(xp.asarray(x, device=device) for x in (phy2log, log2phy, made.logcnt))))


def as_active(active_gpus: Any, num_gpus: int) -> "np.ndarray[Any, Any]":
    """Which GPUs are up, truth values [gpus]."""
    if hasattr(active_gpus, "shape"):
        active_gpus = library_of("active_gpus", active_gpus).to_numpy(active_gpus)
    is_up = np.asarray(active_gpus).astype(bool)
    if is_up.ndim != 1 or len(is_up) < num_gpus:
        raise ValueError(f"active_gpus must have an entry for each of {num_gpus} GPUs, got shape {is_up.shape}")
    if not is_up[:num_gpus].any():
        raise ValueError(f"active_gpus must have a GPU that is up, got none of {num_gpus}")
    return is_up[:num_gpus]
