"""When to plan, from what, and how much may move."""

from dataclasses import dataclass
from fractions import Fraction

from eplb_xp.policy import Policy, as_policy
from eplb_xp.sizes import check_integer, check_number

FEW = (0.05, 0.1)  # of the slots
SAMPLES = 5


@dataclass(frozen=True)
class Strategy:
    """A way to plan over time.

    Attributes
    ----------
    name : str
        What it is called in results.
    policy : str, Policy or None
        How to plan; None leaves the experts in order, one replica each.
    every : int, optional
        Steps from one plan to the next; by default the first plan is kept.
    window : int, optional
        Steps that a plan is made from, the last ones; by default those of the simulation.
    samples : int, optional
        Plan for so many samples of the window in place of its sum; see `eplb_xp.loads.samples`.
    half_life : float, optional
        In so many steps a step comes to count half.
    follows : bool
        Whether a plan follows the one in use: within ``max_moves``, or by GPUs called so that few slots move.
    max_moves : int or float, optional
        Slots of a layer that may move, or as a float their share of all slots, rounded down.
    min_gain : float
        Layers whose busiest GPU would fall by less than this share keep their plan.
    best_shares : bool
        Whether the tokens of each step are divided among replicas by shares made for it, and not equally.
    more_slots : int
        Slots of each GPU beyond those of the simulation.
    """

    name: str
    policy: str | Policy | None = "joint"
    every: int | None = None
    window: int | None = None
    samples: int | None = None
    half_life: float | None = None
    follows: bool = True
    max_moves: int | float | None = None
    min_gain: float = 0.0
    best_shares: bool = False
    more_slots: int = 0

    def __post_init__(self) -> None:
        if self.policy is None:
            others = Strategy(self.name, "joint")
            changed = [
                name for name, value in vars(self).items() if name != "policy" and value != getattr(others, name)
            ]
            if changed:
                raise ValueError(f"{self.name}: experts in order are not planned, so {changed[0]} says nothing")
            return
        as_policy(self.policy)
        for name in ("every", "window", "samples"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name))
        if self.half_life is not None and not self.half_life > 0:
            raise ValueError(f"{self.name}: half_life must be above 0, got {self.half_life}")
        check_integer("more_slots", self.more_slots, at_least=0)
        check_number("min_gain", self.min_gain, 0, 1)
        if isinstance(self.max_moves, float):
            check_number("max_moves", self.max_moves, 0, 1)
        elif self.max_moves is not None:
            check_integer("max_moves", self.max_moves, at_least=0)
        if not self.follows and (self.max_moves is not None or self.min_gain):
            raise ValueError(f"{self.name}: max_moves and min_gain are about the plan in use, which it does not follow")

    def budget(self, slots: int) -> int | None:
        """Slots of a layer that may move, of so many."""
        # As people write it: 0.29 of 100 is 29, in binary a little less.
        return int(Fraction(str(self.max_moves)) * slots) if isinstance(self.max_moves, float) else self.max_moves


def usual(every: int, window: int | None = None) -> list[Strategy]:
    """The strategies that people choose among, plans made anew every so many steps, from a window of as many or others.

    Experts in order; a plan that is kept; fresh plans as EPLB makes them and by policy joint; few moves, for the sum of
    the window and for samples of it; a ring whose shares are made for each step, kept and made anew; and the same with
    one more slot a GPU.

    Parameters
    ----------
    every : int
        Steps from one plan to the next.
    window : int, optional
        Steps that plans are made from; by default ``every``.

    Returns
    -------
    list of Strategy
        With names of their own.
    """
    samples = min(SAMPLES, window or every)
    few = [Strategy(f"{share:.0%} moves", every=every, max_moves=share) for share in FEW]
    return [
        Strategy("never", None),
        Strategy("once"),
        Strategy("EPLB", "greedy", every, follows=False),
        Strategy("joint", every=every),
        *few,
        Strategy(f"{FEW[-1]:.0%}, samples", every=every, max_moves=FEW[-1], samples=samples),
        Strategy("ring once", "ring", best_shares=True),
        Strategy("ring", "ring", every, best_shares=True),
        Strategy("joint +1 slot", every=every, more_slots=1),
        Strategy("ring once +1 slot", "ring", best_shares=True, more_slots=1),
    ]
