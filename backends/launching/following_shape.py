"""What is the same for all layers of a plan that follows another."""

from dataclasses import dataclass

from eplb_xp.algorithms.following.turns import NARROW, WIDE
from eplb_xp.backends.launching.shape import levels, power


@dataclass(frozen=True)
class FollowingShape:
    """Sizes of a layer, and which paths a kernel walks."""

    experts: int
    slots: int
    gpus: int
    groups: int
    nodes: int
    most: int  # replicas of one expert
    is_capped: bool  # whether that is fewer than there may be anyway
    width: int  # of log2phy
    keeps_links: bool  # whether only experts of one replica swap places
    is_narrow: bool = False  # whether paths are those of the second kind
    block: int = 32  # experts whose holders are looked at at once
    wide_aims: tuple[tuple[float, float], ...] = WIDE  # of an excess what each path leaves, in two parts
    narrow_aims: tuple[tuple[float, float], ...] = NARROW

    @property
    def changes_counts(self) -> bool:
        """Whether replicas do more than swap places."""
        return self.spares > 0 and not self.keeps_links

    @property
    def capacity(self) -> int:
        """Slots of a GPU."""
        return self.slots // self.gpus

    @property
    def spares(self) -> int:
        """Replicas that are not an expert's first."""
        return self.slots - self.experts

    @property
    def listed(self) -> int:
        """The most places whose expert has others."""
        return min(2 * self.spares, self.slots)

    @property
    def gpus_of_node(self) -> int:
        return self.gpus // self.nodes

    @property
    def group_size(self) -> int:
        return self.experts // self.groups

    @property
    def up(self) -> float:
        """A power of two that no mean is divided without, as in `turns._lowest`."""
        return 2.0 ** self.experts.bit_length()

    @property
    def is_even(self) -> bool:
        """Whether GPUs are a power of two: then each is its own leaf in the tree of a sum."""
        return self.gpus == power(self.gpus)

    @property
    def warps(self) -> int:
        """Of a path: one has no barriers, and is enough where all is in its registers."""
        fits = max(self.rows_a * self.gpus2, self.experts2) <= 512
        return 1 if fits and self.spares2 <= self.block else 4

    # Paths.

    @property
    def aims(self) -> tuple[tuple[float, float], ...]:
        return self.narrow_aims if self.is_narrow else self.wide_aims

    @property
    def one_part(self) -> tuple[float, ...]:
        return tuple(one for one, _ in self.aims)

    @property
    def other_part(self) -> tuple[float, ...]:
        return tuple(other for _, other in self.aims)

    @property
    def paths(self) -> int:
        return len(self.aims)

    @property
    def first_path(self) -> int:
        """How many come before them."""
        return self.wide if self.is_narrow else 0

    @property
    def wide(self) -> int:
        return len(self.wide_aims)

    @property
    def narrow(self) -> int:
        return len(self.narrow_aims)

    @property
    def picks(self) -> bool:
        """Whether it pays to look only at experts whose holders have changed."""
        return self.spares2 > self.block

    # The same as powers of two.

    @property
    def experts2(self) -> int:
        return power(self.experts)

    @property
    def expert_levels(self) -> int:
        return levels(self.experts)

    @property
    def slots2(self) -> int:
        return power(self.slots)

    @property
    def capacity2(self) -> int:
        return power(self.capacity)

    @property
    def spares2(self) -> int:
        return max(power(self.spares), self.block)

    @property
    def listed2(self) -> int:
        return max(power(self.listed), 32)

    @property
    def gpus2(self) -> int:
        """At least a warp's threads, so that each has whole columns of the table."""
        return max(power(self.gpus), 32)

    @property
    def gpu_levels(self) -> int:
        """Of the tree of a sum over GPUs."""
        return levels(self.gpus)

    @property
    def leaf_levels(self) -> int:
        """Of the same tree, filled up."""
        return levels(self.gpus2)

    @property
    def words(self) -> int:
        """With a bit for each leaf."""
        return self.gpus2 // 32

    @property
    def pairs(self) -> int:
        """Groups times nodes."""
        return self.groups * self.nodes

    @property
    def pairs2(self) -> int:
        return power(self.pairs)

    @property
    def rows_a(self) -> int:
        """Ranks of a GPU's slots come in two parts, each of a power of two, so that fewer are there for nothing."""
        return self.capacity2 if self.capacity == self.capacity2 else self.capacity2 // 2

    @property
    def rows_b(self) -> int:
        return power(self.capacity - self.rows_a) if self.capacity > self.rows_a else 0
