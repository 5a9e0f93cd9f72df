"""What is the same for all rows of a plan: sizes, and the policy's settings."""

from dataclasses import dataclass

from eplb_xp.algorithms.improving.pairs import LOOKED_AT
from eplb_xp.algorithms.trying.shape import are_alike, candidates_of


def power(number: int) -> int:
    """The smallest power of two that is not smaller."""
    return 1 << levels(number)


def levels(number: int) -> int:
    """Additions one after the other in a tree of so many values."""
    return max(number - 1, 0).bit_length()


@dataclass(frozen=True)
class Shape:
    """Sizes and settings that kernels are compiled for; a row is a node of a layer, or the whole layer."""

    experts: int  # of a layer
    groups: int
    nodes: int
    halves: int  # splits of the groups over the nodes that are planned for
    node_experts: int
    fewest: int  # replicas of an expert
    most: int
    spares: int  # replicas beyond the fewest
    gpus: int  # of a node
    slots: int  # of a node
    packed: int  # items that are packed: replicas, or spares alone where every GPU has every expert
    width: int  # of log2phy
    apart: bool  # whether a GPU may not have two replicas of an expert
    everywhere: bool
    ring: bool  # whether replicas are placed on one
    parts: int  # programs that share the starts of a row
    starts: int
    noise: int  # 2^12 is all of a load
    seed: int
    lightest: bool
    rounds: int
    finish: int  # further steps, of what is packed before there are candidates
    threshold: float
    levels: int
    generations: int
    refined: int  # candidates of a generation that are improved
    parents: int
    steps: int  # further ones of a candidate
    close: float  # 1 + the policy's tolerance
    registers: int | None  # that a thread may have; None where the compiler decides

    @property
    def capacity(self) -> int:
        """Items of a pack."""
        return self.packed // self.gpus

    @property
    def group_size(self) -> int:
        return self.experts // self.groups

    @property
    def node_groups(self) -> int:
        return self.groups // self.nodes

    @property
    def layer_slots(self) -> int:
        return self.slots * self.nodes

    @property
    def primary(self) -> int:
        """Of the items, those that are an expert's first replica."""
        return 0 if self.everywhere else self.node_experts

    @property
    def by_expert(self) -> bool:
        """Whether tags are experts; else they are items."""
        return self.apart and not self.everywhere

    @property
    def alike(self) -> bool:
        """Whether D'Hondt's counts are a candidate like the others."""
        return are_alike(self.capacity)

    @property
    def candidates(self) -> int:
        """Of a generation."""
        return candidates_of(self.levels, self.generations)

    @property
    def rows(self) -> int:
        """Rows of a layer."""
        return self.halves * self.nodes

    @property
    def sorts_apart(self) -> bool:
        """Whether first replicas and others each need a smaller power of two than all together."""
        return self.chooses and self.primary > 0 and max(self.node_experts2, self.spares2) < self.packed2

    @property
    def chooses(self) -> bool:
        """Whether there is anything to choose in packing."""
        return self.gpus > 1 and self.packed > self.gpus

    @property
    def improves(self) -> bool:
        """Whether packings are changed, or chosen from, before the maps are written."""
        return self.chooses and (self.by_expert or self.rounds + self.finish > 0 or self.starts > 1)

    @property
    def is_packed_once(self) -> bool:
        """Whether the first kernel packs."""
        return self.starts == 1

    @property
    def shares_code(self) -> bool:
        """Whether the last kernel improves, in a launch of its own, what is packed without candidates.

        It has the code, as candidates are improved there. But with large tables it would have too few registers.
        """
        return self.levels > 0 and self.columns2 * self.capacity2 <= 512

    @property
    def compares(self) -> bool:
        """Whether rows are compared with each other before the maps are written."""
        return self.parts > 1 or self.halves == 2 or self.levels > 0

    @property
    def layer_programs(self) -> int:
        """Programs of the last launch for each layer: for candidates, those improved, and maps."""
        tries = self.generations * (self.candidates + self.refined)
        return self.rows * tries + self.nodes if self.levels else self.nodes

    @property
    def blocks(self) -> int:
        """Of memory for candidates of a row: where there are several generations, for two of them and the best."""
        return self.candidates if self.generations == 1 else 2 * self.candidates + 1

    @property
    def mask_words(self) -> int:
        """Words with a bit for each GPU."""
        return -(-self.gpus // 32)

    # The same as powers of two.

    @property
    def experts2(self) -> int:
        return power(self.experts)

    @property
    def node_experts2(self) -> int:
        return power(self.node_experts)

    @property
    def expert_levels(self) -> int:
        return levels(self.node_experts)

    @property
    def groups2(self) -> int:
        return power(self.groups)

    @property
    def group_levels(self) -> int:
        return levels(self.groups)

    @property
    def size_levels(self) -> int:
        return levels(self.group_size)

    @property
    def nodes2(self) -> int:
        return power(self.nodes)

    @property
    def node_groups2(self) -> int:
        return power(self.node_groups)

    @property
    def gpus2(self) -> int:
        return power(self.gpus)

    @property
    def columns2(self) -> int:
        """Of a table of slots: at least a warp's threads, so that each has whole columns."""
        return max(self.gpus2, 32)

    @property
    def capacity2(self) -> int:
        return power(self.capacity)

    @property
    def packed2(self) -> int:
        return power(self.packed)

    @property
    def packed_levels(self) -> int:
        return levels(self.packed)

    @property
    def slots2(self) -> int:
        return power(self.slots)

    @property
    def spares2(self) -> int:
        return power(self.spares)

    @property
    def parts2(self) -> int:
        return power(self.parts)

    @property
    def rows2(self) -> int:
        return power(self.rows)

    @property
    def candidates2(self) -> int:
        return power(self.candidates)

    @property
    def refined2(self) -> int:
        return power(self.refined)

    # Exchanges.

    @property
    def pairs(self) -> int:
        return self.capacity * (self.capacity - 1) // 2

    @property
    def pairs2(self) -> int:
        return power(self.pairs)

    @property
    def light(self) -> int:
        """Lightest packs that exchanges are with."""
        return min(max(LOOKED_AT // max(self.pairs, 1) ** 2, 1), self.gpus)

    @property
    def light2(self) -> int:
        """Columns for them."""
        if self.light == self.gpus:
            return self.columns2
        return max(power(self.light * (self.capacity // 2)), 32)
