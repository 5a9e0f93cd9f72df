"""How many candidates are tried, how often, and how hard: the same for all rows."""

from typing import NamedTuple

from eplb_xp.algorithms.improving.finishing import are_shaken, most_steps
from eplb_xp.policy import Policy

# Problems of at most so many slots have several generations; for larger ones they take longer than they are worth.
SMALL = 32

MOST_PARENTS = 8


class Shape(NamedTuple):
    """What is the same for all rows."""

    num_packs: int
    shaken: bool  # whether packs are; then D'Hondt's counts are a candidate too
    most: int  # replicas of one expert
    num_levels: int
    generations: int
    refined: int  # candidates of a row that are improved in each generation
    finish: int  # steps after swaps, of each
    seed: int

    @property
    def candidates(self) -> int:
        """Of a row in a generation."""
        return 2 * self.num_levels

    @property
    def parents(self) -> int:
        """Of a row in a generation."""
        return min(self.refined, MOST_PARENTS)

    @property
    def end(self) -> int:
        """The turn of a row that is done: 0 is of D'Hondt's counts, then come generations."""
        return self.generations + 1


def shape_of(policy: Policy, *, num_packs: int, capacity: int, num_spares: int, most: int) -> Shape:
    """How candidates are tried for packs of so many slots."""
    shaken = are_shaken(capacity)
    num_levels = min(policy.levels, num_spares)
    generations = policy.generations if num_packs * capacity <= SMALL else 1
    # A round of shaking costs little, and more candidates bring more than more rounds.
    refined = min(policy.refined * (2 if shaken else 1), 2 * num_levels)
    finish = most_steps(policy, num_packs, capacity) // generations
    return Shape(num_packs, shaken, most, num_levels, generations, refined, finish, policy.seed)
