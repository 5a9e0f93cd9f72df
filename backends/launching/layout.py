"""Where in memory kernels keep what later ones read."""

from dataclasses import dataclass

from eplb_xp.backends.launching.rings import RingShape
from eplb_xp.backends.launching.shape import power


@dataclass(frozen=True)
class Layout(RingShape):
    """A shape, and where each thing lies in a program's part of the memory and in the record of a row."""

    # Of a program, in words.

    @property
    def segment(self) -> int:
        return (max(self.node_experts, self.packed, self.slots, self.groups) + 15) // 8 * 8

    @property
    def load_at(self) -> int:
        return 0

    @property
    def count_at(self) -> int:
        return self.segment

    @property
    def spare_at(self) -> int:
        return 2 * self.segment

    @property
    def spare_rank_at(self) -> int:
        return 3 * self.segment

    @property
    def sorted_load_at(self) -> int:
        return 4 * self.segment

    @property
    def sorted_tag_at(self) -> int:
        return 5 * self.segment

    @property
    def slot_at(self) -> int:
        """The tag in each place, rank * GPUs + GPU.

        Odd, while a program's part is even: so it is read a word at a time, whole columns by one thread.
        """
        return 6 * self.segment + 1

    @property
    def slot_load_at(self) -> int:
        """The load in each place."""
        return 7 * self.segment + 1

    @property
    def order_at(self) -> int:
        """Experts, heaviest first."""
        return 8 * self.segment

    @property
    def seated_at(self) -> int:
        """On rings, whether each item has a slot."""
        return self.order_at

    @property
    def item_load_at(self) -> int:
        """The items, where they are looked up."""
        return 10 * self.segment

    @property
    def item_tag_at(self) -> int:
        return 11 * self.segment

    @property
    def group_at(self) -> int:
        return 9 * self.segment

    @property
    def busiest_at(self) -> int:
        """The busiest pack of what is placed, and which start that is of."""
        return 12 * self.segment

    @property
    def gain_at(self) -> int:
        """What a swap must bring."""
        return 12 * self.segment + 2

    @property
    def is_new_at(self) -> int:
        """Whether the row's groups are not those of the other half."""
        return 12 * self.segment + 3

    @property
    def total_at(self) -> int:
        """The load of all items."""
        return 12 * self.segment + 4

    @property
    def rows_at(self) -> int:
        """In the first program's part, how many rows there are in all layers."""
        return 12 * self.segment + 5

    @property
    def mask_at(self) -> int:
        """For each expert on which GPUs it is."""
        return 12 * self.segment + 8

    @property
    def words(self) -> int:
        """Of a program."""
        masks = self.node_experts * self.mask_words if self.by_expert else 0
        return 12 * self.segment + 8 + (masks + 7) // 8 * 8

    # Of a row's candidates, in words. Before these: those packed and those improved so far, and the generation.

    @property
    def best_at(self) -> int:
        """The busiest pack of the best of earlier generations."""
        return 3

    @property
    def tried_at(self) -> int:
        """The busiest pack of each candidate, packed."""
        return 4

    @property
    def refined_at(self) -> int:
        """Those of the improved ones, and after them which candidates they are."""
        return self.tried_at + self.candidates

    @property
    def mark_at(self) -> int:
        """Fingerprints of the candidates."""
        return self.refined_at + 2 * self.refined

    @property
    def seen_at(self) -> int:
        """Fingerprints of D'Hondt's counts and of all that are improved, generation after generation."""
        return self.mark_at + self.candidates

    @property
    def lot_at(self) -> int:
        """Which lot of blocks each generation has."""
        return self.seen_at + 1 + self.generations * self.refined

    @property
    def parents_at(self) -> int:
        """How many parents there are, and their blocks."""
        return self.lot_at + self.generations

    @property
    def record_words(self) -> int:
        return self.parents_at + 1 + self.parents

    @property
    def record_words2(self) -> int:
        return power(self.record_words)
