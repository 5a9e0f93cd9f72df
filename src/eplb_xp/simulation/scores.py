"""What a strategy promised, what it brought, and what that cost."""

from typing import NamedTuple

from eplb_xp.simulation.arrays import Numbers
from eplb_xp.simulation.strategy import Strategy


class Score(NamedTuple):
    """One strategy on the steps that all are judged on.

    Balance is mean GPU load / busiest GPU's load, mean over layers; layers and steps without tokens are left out.

    Attributes
    ----------
    strategy : Strategy
    num_replicas : int
        Slots of a layer.
    plans : int
        Plans that were made.
    planned : float or None
        Balance of the windows that plans were made from: what they promise. None where nothing was planned for.
    actual : float or None
        Balance of as many steps together as a window has, after those that plans were made from.
    kept : float or None
        Of what plans promised to gain over the one before, each on its own window, how much was gained on the steps
        that followed; the first is compared with experts in order. None where less than a hundredth was promised.
    worst : float or None
        As ``actual``, of the worst layer.
    by_step : float or None
        Balance of single steps.
    quantiles : (float, float, float) or None
        Of single steps of single layers: 5 %, 50 % and 95 %.
    moved, changed : float
        Slots that received an expert from another GPU, and whose expert is another one, for each plan after the first,
        as a share of all slots.
    near_moves, far_moves : int
        Moved slots in all: inside a node, and from another one or from elsewhere.
    seconds : float or None
        Of a step of the layers, with its shares, in the mean; None without a cost.
    seconds_saved : float or None
        Less than experts in order take.
    seconds_spent : float or None
        Of a step, in the mean, on moves.
    break_even : float or None
        Steps until a plan has made up for its moves, in the mean of those after the first; None where it does not, or
        none is made.
    balance : [steps] float64
        Of each step, mean over its layers; NaN where it has no tokens.
    promised : list of (int, float or None)
        The steps before which plans were made, and the balance on their windows.
    moves : list of int
        Slots that each of these plans moved.
    """

    strategy: Strategy
    num_replicas: int
    plans: int
    planned: float | None
    actual: float | None
    kept: float | None
    worst: float | None
    by_step: float | None
    quantiles: tuple[float, float, float] | None
    moved: float
    changed: float
    near_moves: int
    far_moves: int
    seconds: float | None
    seconds_saved: float | None
    seconds_spent: float | None
    break_even: float | None
    balance: Numbers
    promised: list[tuple[int, float | None]]
    moves: list[int]

    @property
    def net(self) -> float | None:
        """Seconds saved a step less those spent on moves."""
        if self.seconds_saved is None or self.seconds_spent is None:
            return None
        return self.seconds_saved - self.seconds_spent
