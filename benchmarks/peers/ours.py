"""Our planners, by NumPy's arrays and whatever form of the code plans fastest here."""

from functools import partial
from typing import Any

import numpy as np

from benchmarks.peers.peer import Peer, Planner
from benchmarks.quality.sizes import Size
from eplb_xp import rebalance_experts
from eplb_xp.simulation.arrays import Numbers


def planner(size: Size, policy: str, *, follows: bool = True, part: float | None = None) -> Planner:
    """A policy; it may know the plan in use, and move a part of the slots at most."""
    shape = (size.replicas, size.groups, size.nodes, size.gpus)

    def prepared(window: Numbers, old: Numbers | None) -> Any:
        weight = window.sum(axis=0).astype(np.float32)
        options: dict[str, Any] = {} if old is None or not follows else {"previous": old}
        if options and part is not None:
            options["max_moves"] = int(part * size.replicas)
        return lambda: rebalance_experts(weight, *shape, policy=policy, **options).phy2log

    return prepared


def by_all_libraries(load: Numbers, size: Size, policy: str) -> list[Numbers]:
    """The slots of a policy's plans for arrays of NumPy, JAX and PyTorch."""
    import jax.numpy as jnp  # noqa: PLC0415  in a process of its own: one that has run JAX should not fork
    import torch  # noqa: PLC0415

    shape = (size.replicas, size.groups, size.nodes, size.gpus)
    arrays: list[Any] = [load, jnp.asarray(load), torch.from_numpy(load)]
    return [np.asarray(rebalance_experts(each, *shape, policy=policy).phy2log) for each in arrays]


def _ours(name: str, policy: str, *, follows: bool = True, part: float | None = None, shares: bool = False) -> Peer:
    make = partial(planner, policy=policy, follows=follows, part=part)
    return Peer(name, "", make, shares=shares, elsewhere=partial(by_all_libraries, policy=policy))


JOINT = "eplb-xp, joint"
OURS = (
    _ours("eplb-xp, greedy (EPLB)", "greedy", follows=False),
    _ours("eplb-xp, swap", "swap"),
    _ours(JOINT, "joint"),
    _ours("eplb-xp, joint, 10 % moved", "joint", part=0.1),
    _ours("eplb-xp, ring, best shares", "ring", shares=True),
)
