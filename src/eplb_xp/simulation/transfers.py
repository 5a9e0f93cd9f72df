"""What it takes to go from one placement to the next."""

import math
from typing import NamedTuple

import numpy as np

from eplb_xp.moving import moves
from eplb_xp.simulation.arrays import Numbers
from eplb_xp.simulation.cost import Cost


class Transfer(NamedTuple):
    """Moves of all layers."""

    near: int  # slots that receive an expert from their node
    far: int  # from another node, or from elsewhere
    changed: int  # slots whose expert is another one
    seconds: float  # that steps wait


def transfer(previous: Numbers, phy2log: Numbers, num_gpus: int, gpus_per_node: int, cost: Cost | None) -> Transfer:
    """Count the moves from one plan [layers, slots] to another, and what they take."""
    found = moves(previous, phy2log, num_gpus, gpus_per_node=gpus_per_node)
    layers, slots = phy2log.shape
    each = slots // num_gpus
    gpu, source = np.arange(slots) // each, found.source // each
    is_moved = source != gpu
    is_far = is_moved & ((found.source < 0) | (source // gpus_per_node != gpu // gpus_per_node))
    received = np.stack([(is_moved & ~is_far), is_far]).reshape(2, layers, num_gpus, each).sum(axis=3)
    sent = np.stack([found.sent - found.sent_across, found.sent_across])
    seconds = 0.0
    if cost is not None:
        # A GPU sends while it receives.
        seconds = math.fsum(np.maximum(cost.of_moves(*received), cost.of_moves(*sent)).tolist())
    near, far = (int(number) for number in received.sum(axis=(1, 2)))
    return Transfer(near, far, int((previous != phy2log).sum()), seconds)
