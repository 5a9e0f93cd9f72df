"""What traffic is made of, and what it makes of it."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

Numbers: TypeAlias = np.ndarray[Any, Any]

LEAST = 1e-300  # of a share, so that its logarithm is a number


class Domains(NamedTuple):
    """The domains of a preset, and what a step has."""

    share: Numbers  # of a layer's tokens: [domains, layers, experts]
    turn: int  # steps of a domain, where domains come in turn
    tokens: int
    top_k: int

    def mixed(self, weight: Numbers) -> Numbers:
        """The logarithm of the shares of all domains together, each with its weight: [layers, experts]."""
        total = (self.share * (weight / weight.sum())[:, None, None]).sum(axis=0)
        return np.log(np.maximum(total, LEAST))


class Step(NamedTuple):
    """What a step is drawn from."""

    log: Numbers  # of each expert's popularity: [layers, experts]
    tokens: int
    kept: Numbers | int = 0  # what of the load is not drawn anew: [layers, experts]
