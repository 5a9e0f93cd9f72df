"""What is the same for all rows of a placement on a ring."""

from dataclasses import dataclass

from eplb_xp.algorithms.rings.layout import strides, turns_of
from eplb_xp.backends.launching.shape import Shape, power


@dataclass(frozen=True)
class RingShape(Shape):
    """A shape, and what follows from it where replicas are placed on rings."""

    @property
    def turns(self) -> int:
        return turns_of(self.spares, self.gpus)

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(strides(self.gpus, self.turns))

    @property
    def wanting(self) -> int:
        """Replicas wanted on one GPU, at most: where a turn passes it, one expert may end and the next begin."""
        return min(2 * self.turns, self.capacity)

    @property
    def loose(self) -> int:
        """The first items, among which are all that may have no place on the ring."""
        return self.node_experts if 2 * self.turns <= self.capacity else self.slots

    @property
    def num_strides(self) -> int:
        return len(self.strides)

    @property
    def parts_doubles(self) -> bool:
        """Whether replicas of an expert may come together: at the end of a turn, or without a place on the ring."""
        return self.turns > 1 or self.loose > self.node_experts

    @property
    def linked_ranks(self) -> int:
        """Ranks in which experts of several replicas are: the first, unless some are parted."""
        return self.capacity if self.parts_doubles else self.wanting

    @property
    def single_rank(self) -> int:
        """The first rank in which there may be experts of one replica."""
        return 0 if self.parts_doubles else self.spares // self.gpus

    @property
    def linked(self) -> int:
        """Slots of experts with several replicas, at most."""
        return min(2 * self.spares, self.slots)

    @property
    def loose2(self) -> int:
        return power(self.loose)

    @property
    def linked2(self) -> int:
        return power(self.linked)
