"""vllm-ascend, its first runner: eplb-xp as the policy that its factory makes, whichever number is asked for.

Its second runner plans by vLLM's own classes, and so by `eplb_xp.engines.vllm`.
"""

import importlib
from importlib.util import find_spec
from typing import Any

import numpy as np

from eplb_xp.backends import library_of
from eplb_xp.engines import loads, metrics, planner, report
from eplb_xp.engines.settings import POLICY, asked_for, from_environment
from eplb_xp.maps import expert_loads
from eplb_xp.policy import POLICIES

FACTORY = "vllm_ascend.eplb.core.policy.policy_factory"


def register() -> None:
    """Put eplb-xp in the place of vllm-ascend's planners, if it is installed and ``EPLB_XP_POLICY`` is set.

    Raises
    ------
    ValueError
        Where the environment asks for what there is not, or for a policy that may put two replicas of an expert on one
        NPU, which vllm-ascend refuses.
    """
    settings = from_environment()
    if settings is None or find_spec("vllm_ascend") is None:
        return
    if POLICIES[settings.policy].may_double:
        raise ValueError(
            f"{POLICY}={settings.policy} may put two replicas of an expert on one NPU, which vllm-ascend refuses; "
            f"take one of {', '.join(name for name, each in POLICIES.items() if not each.may_double)}"
        )
    metrics.check(settings)
    factory = importlib.import_module(FACTORY).PolicyFactory
    factory.generate_policy = staticmethod(lambda policy_type: Policy())  # noqa: ARG005 # vllm-ascend's signature
    report.announce("vllm-ascend", settings)


class Policy:
    """vllm-ascend's interface of policies, with eplb-xp's plans."""

    def rebalance_experts(
        self, current_expert_table: Any, expert_workload: Any
    ) -> "tuple[int, np.ndarray[Any, Any], np.ndarray[Any, Any]]":
        """Plan from what each slot had to do.

        Experts that stay on their NPU keep their slots, and no NPU has an expert twice, so that vllm-ascend refuses no
        layer.

        Parameters
        ----------
        current_expert_table : [layers, npus, slots] integers
            The expert in each slot, -1 in an empty one.
        expert_workload : [layers, npus, slots] or [steps, layers, npus, slots] numbers
            Tokens of each slot.

        Returns
        -------
        changed : int
            Whether any slot receives another expert, 1 or 0.
        priority : [layers] int64
            Layers in the order of what they gain, most first.
        table : [layers, npus, slots] int64
            The expert in each slot.
        """
        lib = library_of("expert_workload", expert_workload)
        table = library_of("current_expert_table", current_expert_table).to_numpy(current_expert_table)
        layers, npus, slots = table.shape
        old = table.reshape(layers, npus * slots).astype(np.int64)
        of_slots = loads.read(lib, expert_workload)
        of_slots = of_slots.reshape(*of_slots.shape[:-2], npus * slots)
        load = expert_loads(of_slots, old, int(old.max()) + 1)
        settings = asked_for()
        made = planner.plan("vllm-ascend", settings, load, npus * slots, 1, 1, npus, old=old)
        summed = loads.window(load, 1)
        busiest = [_busiest(summed, each, npus) for each in (old, made.phy2log)]
        gain = np.divide(busiest[1], busiest[0], out=np.ones(layers), where=busiest[0] > 0)
        changed = int((made.phy2log != old).any())
        return changed, np.argsort(gain, kind="stable"), made.phy2log.reshape(layers, npus, slots)


def _busiest(load: "np.ndarray[Any, Any]", phy2log: "np.ndarray[Any, Any]", npus: int) -> "np.ndarray[Any, Any]":
    """Tokens of the busiest NPU [layers], replicas sharing equally and empty slots without any."""
    experts = load.shape[1]
    held = np.where(phy2log < 0, experts, phy2log)
    number = (held[:, :, None] == np.arange(experts + 1)).sum(axis=1)
    share = np.concatenate([load, np.zeros_like(load[:, :1])], axis=1) / np.maximum(number, 1)
    of_npus = np.take_along_axis(share, held, axis=1).reshape(len(load), npus, -1).sum(axis=2)
    return of_npus.max(axis=1)
