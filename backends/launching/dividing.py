"""How quotas are launched: the sizes that their kernel is compiled for, and its programs."""

from dataclasses import dataclass

from eplb_xp.backends.launching.launch import MOST_EXPERTS, MOST_REPLICAS
from eplb_xp.backends.launching.shape import power
from eplb_xp.backends.launching.sharing import MOST_GPUS
from eplb_xp.backends.takeover import Refusal

# So many programs keep a GPU busy; beyond that each has several experts, for which it reads the slots of a layer once.
PROGRAMS = 8192
MOST_BLOCK = 16
MOST_WIDTH_BLOCK = 64


@dataclass(frozen=True)
class Dividing:
    """Sizes that the kernel is compiled for."""

    experts: int
    slots: int
    ranks: int
    nodes: int
    width: int
    block: int  # experts of a program
    is_of_one: bool  # whether quotas are those of one rank, else of all
    index_bits: int

    @property
    def capacity(self) -> int:
        """Slots of a GPU."""
        return self.slots // self.ranks

    @property
    def node_gpus(self) -> int:
        return self.ranks // self.nodes

    @property
    def width_block(self) -> int:
        """Replicas whose quotas are written at once."""
        return min(power(self.width), MOST_WIDTH_BLOCK)

    # The same as powers of two.

    @property
    def capacity2(self) -> int:
        return power(self.capacity)

    @property
    def node2(self) -> int:
        return power(self.node_gpus)

    @property
    def nodes2(self) -> int:
        return power(self.nodes)

    @property
    def warps(self) -> int:
        """One, which has no barriers, as long as each of its threads has few slots."""
        return min(max(self.nodes2 * self.node2 * self.capacity2 // 512, 1), 16)

    @property
    def programs(self) -> tuple[int, int]:
        """Of a layer: for its experts, and for each of these for ranks."""
        return -(-self.experts // self.block), 1 if self.is_of_one else self.ranks


def launch(
    shape: tuple[int, int, int], slots: int, width: int, *, nodes: int, is_of_one: bool, index_bits: int
) -> Dividing | Refusal:
    """The sizes, given those of counts [layers, ranks, experts], or why the once-written code divides shares."""
    layers, ranks, experts = shape
    for name, number, most in (
        ("experts", experts, MOST_EXPERTS),
        ("replicas", slots, MOST_REPLICAS),
        ("replicas of an expert", width, MOST_REPLICAS),
        ("GPUs", ranks, MOST_GPUS),
    ):
        if number > most:
            return Refusal(f"the kernel divides shares of at most {most} {name}, got {number}")
    if 0 in (layers, width):
        return Refusal("there are no layers, or no slots in log2phy")
    rows = layers * experts * (1 if is_of_one else ranks)
    block = min(power(-(-rows // PROGRAMS)), MOST_BLOCK, power(experts))
    return Dividing(experts, slots, ranks, nodes, width, block, is_of_one, index_bits)
