"""What steps, moves and shares cost in seconds."""

from typing import NamedTuple

import numpy as np

from eplb_xp.simulation.arrays import Numbers
from eplb_xp.sizes import check_number


class Cost(NamedTuple):
    """Seconds that work takes on one GPU.

    A slot with tokens takes ``max(seconds_per_active_slot, seconds_per_token * tokens)``: below some hundred tokens its
    weights must be read all the same. A GPU takes the sum of its slots, a layer its busiest GPU, a step the sum of its
    layers.

    Attributes
    ----------
    seconds_per_token : float
        For a token in one expert, where there are many.
    seconds_per_active_slot : float
        To read the weights of an expert.
    seconds_per_move : float
        To send the weights of an expert to another GPU of the node.
    seconds_per_far_move : float
        The same to another node, or from elsewhere.
    seconds_per_share : float
        To make the shares of a layer in a step, and to add its counts up over all ranks.
    overlap : float
        Which part of the moves hides behind steps, from 0 to 1.
    """

    seconds_per_token: float
    seconds_per_active_slot: float
    seconds_per_move: float = 0.0
    seconds_per_far_move: float = 0.0
    seconds_per_share: float = 0.0
    overlap: float = 0.0

    def of_layers(self, tokens: Numbers, num_gpus: int) -> Numbers:
        """Seconds of layers, given the tokens of their slots: [..., slots] -> [...]."""
        # A part of a token is one now and then.
        seconds = np.maximum(self.seconds_per_active_slot * np.minimum(tokens, 1.0), self.seconds_per_token * tokens)
        each = seconds.reshape(*tokens.shape[:-1], num_gpus, -1)
        # In the order of slots, which NumPy's own sum is not on every machine.
        return np.add.accumulate(each, axis=-1)[..., -1].max(axis=-1)

    def of_moves(self, near: Numbers, far: Numbers) -> Numbers:
        """Seconds that moves of layers keep steps waiting, given those of each GPU: [..., gpus] -> [...]."""
        seconds = self.seconds_per_move * near + self.seconds_per_far_move * far
        busiest: Numbers = (1 - self.overlap) * seconds.max(axis=-1)
        return busiest


def check_cost(cost: Cost) -> Cost:
    """Refuse what is no cost."""
    if not isinstance(cost, Cost):
        raise TypeError(f"cost must be a Cost, such as cost_of('h200', 'deepseek-v3'), got {type(cost).__name__}")
    for name, value in cost._asdict().items():
        check_number(name, value, 0, 1 if name == "overlap" else float("inf"))
    return cost
