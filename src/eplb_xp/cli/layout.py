"""The sizes of a plan, as they were asked for."""

from typing import NamedTuple

from eplb_xp.cli.errors import refusals
from eplb_xp.sizes import check_sizes


class Layout(NamedTuple):
    """Replicas of a layer, and what they go on."""

    num_replicas: int
    num_groups: int
    num_nodes: int
    num_gpus: int

    @property
    def keeps_groups(self) -> bool:
        """Whether whole groups are kept on nodes, of which there are several."""
        return self.num_nodes > 1 and self.num_groups % self.num_nodes == 0

    def check(self, experts: int) -> None:
        """Refuse sizes that don't fit together."""
        with refusals():
            check_sizes(experts, *self)

    def __str__(self) -> str:
        where = f"{self.num_replicas} replicas on {self.num_gpus} GPUs"
        if self.keeps_groups:
            each = self.num_groups // self.num_nodes
            return f"{where} of {self.num_nodes} nodes, {each} whole group{'s' if each > 1 else ''} on each"
        if self.num_nodes > 1:
            return f"{where}; {self.num_groups} groups don't divide over {self.num_nodes} nodes: both ignored"
        return where


def usual_gpus(experts: int) -> int:
    """About eight experts a GPU, on 8, 16 or 32 GPUs."""
    return min(max(8, 1 << experts.bit_length() >> 4), 32)


def least_replicas(experts: int, num_gpus: int) -> int:
    """The fewest replicas that divide over the GPUs: the experts, rounded up."""
    return -(-experts // num_gpus) * num_gpus


def one_more_slot(experts: int) -> Layout:
    """The usual GPUs, each with one slot more than its share of the experts."""
    num_gpus = usual_gpus(experts)
    return Layout(least_replicas(experts, num_gpus) + num_gpus, 1, 1, num_gpus)
