"""How many candidates are tried, how often, and how hard: the same for all rows."""

from typing import NamedTuple

from eplb_xp.algorithms.improving.finishing import are_shaken, most_steps
from eplb_xp.policy import Policy

# Problems of at most so many slots have several generations; for larger ones they take longer than they are worth.
SMALL = 32

MOST_PARENTS = 8

# With at most so many slots in a pack further steps of D'Hondt's counts alone seldom come close to a bound. So they are
# a candidate like the others: improved first, they would take as long as all others do side by side.
MOST_ALIKE = 5

# Candidates of each level in each of several generations: many are packed, and few of them improved.
OFFSPRING = 16

# Further steps of each candidate, if there are as many, where several generations share them.
FEWEST_STEPS = 8


class Shape(NamedTuple):
    """What is the same for all rows."""

    num_packs: int
    alike: bool  # whether D'Hondt's counts are a candidate like the others
    most: int  # replicas of one expert
    num_levels: int
    generations: int
    refined: int  # candidates of a row that are improved in each generation
    finish: int  # steps after swaps, of each
    seed: int

    @property
    def candidates(self) -> int:
        """Of a row in a generation."""
        return candidates_of(self.num_levels, self.generations)

    @property
    def parents(self) -> int:
        """Of a row in a generation."""
        return min(self.refined, MOST_PARENTS)

    @property
    def end(self) -> int:
        """The turn of a row that is done: 0 is of D'Hondt's counts, then come generations."""
        return self.generations + 1


def are_alike(capacity: int) -> bool:
    """Whether D'Hondt's counts are a candidate like the others, with packs of so many items."""
    return capacity <= MOST_ALIKE


def candidates_of(num_levels: int, generations: int) -> int:
    """How many there are of a row in a generation: two of each level, or more where these are the first of several."""
    return (2 if generations == 1 else OFFSPRING) * num_levels


def shape_of(policy: Policy, *, num_packs: int, capacity: int, num_spares: int, most: int) -> Shape:
    """How candidates are tried for packs of so many slots."""
    alike = are_alike(capacity)
    num_levels = min(policy.levels, num_spares)
    generations = policy.generations if num_packs * capacity <= SMALL else 1
    # A round of shaking costs little, and more candidates bring more than more rounds. D'Hondt's counts have a seat.
    refined = 2 * policy.refined if are_shaken(capacity) else policy.refined + (alike and generations == 1)
    finish = most_steps(policy, num_packs, capacity)
    if generations > 1 and finish > 0:
        refined = max(refined // 2, 1)
        finish = min(max(finish // generations, FEWEST_STEPS), finish)
    refined = min(refined, candidates_of(num_levels, generations))
    return Shape(num_packs, alike, most, num_levels, generations, refined, finish, policy.seed)
