"""How steps count in what is planned for."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from eplb_xp.cli.errors import UserError
from eplb_xp.loads import samples

Numbers: TypeAlias = np.ndarray[Any, Any]


class Counted(NamedTuple):
    """A sum of the steps, or several, recent ones counting as much as others or more."""

    samples: int | None = None  # blocks of them, in place of their sum
    half_life: float | None = None  # in steps; without it all count the same

    def loads(self, over_time: Numbers) -> Numbers:
        """The sum of the steps, or samples of them, as many as there can be."""
        found = samples(over_time, min(self.samples or 1, len(over_time)), self.half_life)
        return found[0] if self.samples is None else found


def as_counted(number: int | None, half_life: float | None, steps: int) -> Counted:
    """The values of ``--samples`` and ``--half-life`` for loads of so many steps."""
    if number is not None and number > steps:
        raise UserError(f"--samples must be at most the number of steps, got {number} for {steps}")
    if half_life is not None and not 0 < half_life < math.inf:
        raise UserError(f"--half-life must be a number of steps above 0, got {half_life:g}")
    if half_life is not None and steps == 1:
        raise UserError("--half-life goes with loads of several steps, got 1")
    return Counted(number, half_life)
