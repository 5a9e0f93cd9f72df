"""What comes after swaps, by the number of items in a pack."""

from eplb_xp import Policy
from tests.support.references.plan import Row
from tests.support.references.shaking import shaken
from tests.support.references.swaps import Packing, exchanged, lower, swapped


def are_shaken(capacity: int) -> bool:
    return capacity == 3


def most_steps(policy: Policy, num_packs: int, capacity: int) -> int:
    """In as many rounds as there are packs each meets each other one."""
    if capacity < 3:
        return 0
    return policy.shakes * num_packs if are_shaken(capacity) else policy.finish


def finished(slots: Packing, load: Row, expert: list[int], policy: Policy, left: int) -> Packing:
    """After so many further steps, if that is no worse."""
    capacity = len(slots[0])
    if capacity < 3:
        return slots
    step = shaken if are_shaken(capacity) else exchanged if capacity <= 16 else swapped
    return lower(slots, step(slots, load, expert, policy, left), load)
