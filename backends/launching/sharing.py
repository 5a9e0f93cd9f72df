"""How shares are launched: the sizes that their kernel is compiled for, and where it keeps what it reads again."""

from dataclasses import dataclass

from eplb_xp.algorithms.sharing.prepared import linked
from eplb_xp.backends.launching.launch import MOST_EXPERTS, MOST_REPLICAS, MOST_WORDS
from eplb_xp.backends.launching.shape import levels, power
from eplb_xp.backends.takeover import Refusal

# Of twice as many a kernel would compile for minutes: it compares the loads of all with all.
MOST_GPUS = 512


@dataclass(frozen=True)
class Sharing:
    """Sizes of a layer, and where each thing lies in its part of the memory, in words."""

    experts: int
    slots: int
    gpus: int
    rows: int = 256  # of colours that are written down at once

    @property
    def capacity(self) -> int:
        """Slots of a GPU."""
        return self.slots // self.gpus

    @property
    def linked(self) -> int:
        """Places of holders that are listed."""
        return linked(self.slots, self.experts)

    @property
    def warps(self) -> int:
        """Four share out the table of a layer; but pairs of 33 to 64 GPUs level quickest between two.

        More only where what is larger, that table or one of all pairs of GPUs, is more than their registers hold.
        """
        fewest = 2 if self.gpus2 == 64 else 4
        return min(max(self.capacity2 * self.gpus2 // 1024, self.gpus2**2 // 8192, fewest), 16)

    # The same as powers of two.

    @property
    def experts2(self) -> int:
        return power(self.experts)

    @property
    def expert_levels(self) -> int:
        return levels(self.experts)

    @property
    def gpus2(self) -> int:
        """At least a warp's threads, so that each has whole columns of the table."""
        return max(power(self.gpus), 32)

    @property
    def capacity2(self) -> int:
        return power(self.capacity)

    @property
    def linked2(self) -> int:
        return max(power(self.linked), 32)

    @property
    def twice2(self) -> int:
        """Positions on rings, twice round."""
        return max(power(2 * self.gpus), 32)

    # Of any layer.

    @property
    def tokens_at(self) -> int:
        """Tokens of each expert."""
        return 0

    @property
    def rest_at(self) -> int:
        return self.tokens_at + self.experts

    # Of a layer of rings.

    @property
    def alone_at(self) -> int:
        """Tokens that are on a GPU alone, where a stretch ends."""
        return self.rest_at

    @property
    def on_gpu_at(self) -> int:
        """Those, and of the expert whose stretch begins there."""
        return self.alone_at + self.gpus

    @property
    def sum_at(self) -> int:
        """The sums of those, from none of them to all."""
        return self.on_gpu_at + self.gpus

    @property
    def flow_at(self) -> int:
        """What flows on from each position, twice round."""
        return self.sum_at + self.gpus + 1

    # Of any other layer.

    @property
    def share_at(self) -> int:
        """The share of each place, and of one that is no slot; twice."""
        return self.rest_at

    @property
    def turn_at(self) -> int:
        """Which holder of its expert is in each place."""
        return self.share_at + 2 * (self.slots + 1)

    @property
    def rank_at(self) -> int:
        """How many GPUs are busier."""
        return self.turn_at + self.slots

    @property
    def held_at(self) -> int:
        """Tokens that each GPU adds to those before it, busiest first."""
        return self.rank_at + self.gpus

    @property
    def last_at(self) -> int:
        """Of each expert's GPUs the rank of the last."""
        return self.held_at + self.gpus

    @property
    def meeting_at(self) -> int:
        """Meetings, in rows of GPUs: a row for each colour, and five of nobody."""
        return self.last_at + self.linked

    @property
    def words(self) -> int:
        rings = self.flow_at + 2 * self.gpus
        others = self.meeting_at + (self.rows + 5) * self.gpus
        return max(rings, others)


def launch(layers: int, experts: int, replicas: int, gpus: int) -> Sharing | Refusal:
    """The sizes, or why the kernel leaves shares to the once-written code."""
    for name, number, most in (
        ("experts", experts, MOST_EXPERTS),
        ("replicas", replicas, MOST_REPLICAS),
        ("GPUs", gpus, MOST_GPUS),
    ):
        if number > most:
            return Refusal(f"the kernel shares among at most {most} {name}, got {number}")
    if layers == 0:
        return Refusal("there are no layers")
    sizes = Sharing(experts, replicas, gpus)
    if layers * sizes.words > MOST_WORDS:
        needed = layers * sizes.words * 4 / 2**30
        return Refusal(f"the kernel would need {needed:.1f} GiB of memory, and takes at most 1 GiB")
    return sizes
