"""RTP-LLM: eplb-xp in the place of the function ``rebalance_experts``; its balancer plans one layer at a time."""

from typing import Any

from eplb_xp.backends import library_of
from eplb_xp.engines import placing, planner
from eplb_xp.engines.settings import asked_for


def register() -> None:
    """Put eplb-xp in the place of RTP-LLM's planner; call it before its balancer is made.

    Without ``EPLB_XP_POLICY`` the policy is joint.

    Raises
    ------
    ValueError
        Where the environment asks for what there is not.
    """
    placing.put("RTP-LLM", "rtp_llm.eplb.ep_balancer", rebalance_experts)


def rebalance_experts(
    weight: Any,
    num_replicas: int,
    num_groups: int,
    num_nodes: int,
    num_gpus: int,
    force_repack: bool = False,  # noqa: ARG001 # plans are packed as they are
    active_ranks: Any = None,
) -> tuple[Any, Any, Any]:
    """Plan as RTP-LLM's function of this name is asked to.

    Parameters
    ----------
    weight : [layers, experts] numbers
        Tokens for each logical expert; RTP-LLM gives one layer.
    num_replicas, num_groups, num_nodes, num_gpus : int
        As `eplb_xp.rebalance_experts` has them.
    force_repack : bool
        Not looked at.
    active_ranks : [gpus] numbers, optional
        Which ranks are up; slots of the others hold expert 0 and are in no expert's list.

    Returns
    -------
    phy2log, log2phy, logcnt
        [layers, replicas], [layers, experts, width] and [layers, experts], int64 in host memory, the width at most
        the ``num_replicas - experts + 1`` that RTP-LLM pads to.
    """
    sizes = num_replicas, num_groups, num_nodes, num_gpus
    made = planner.plan("rtp-llm", asked_for(), weight, *sizes, active=active_ranks)
    xp = library_of("weight", weight).xp
    phy2log, log2phy, logcnt = (xp.asarray(x, device="cpu") for x in made)
    return phy2log, log2phy, logcnt
