"""What moves between the plan in use and the one that follows it."""

from typing import NamedTuple

from eplb_xp.cli.layout import Layout
from eplb_xp.cli.planning import Numbers
from eplb_xp.moving import moves
from eplb_xp.types import MovedBytes


class Moved(NamedTuple):
    """Slots whose weights come from another GPU, or from none."""

    slots: Numbers  # [layers]
    of: int  # slots of a layer
    num_nodes: int
    across: int  # slots of all layers, from another node
    bytes: MovedBytes | None  # where it is known what an expert has

    @property
    def mean(self) -> float:
        """Slots, in the mean of all layers."""
        return float(self.slots.mean())

    @property
    def most_layer(self) -> int:
        """The layer with most."""
        return int(self.slots.argmax())

    @property
    def most(self) -> int:
        """Slots of that layer."""
        return int(self.slots.max())


def nodes_of(layout: Layout, gpus_per_node: int | None) -> int:
    """Nodes whose GPUs are near each other; those that GPUs don't divide over count as one."""
    if gpus_per_node is not None:
        return layout.num_gpus // gpus_per_node
    return layout.num_nodes if layout.num_gpus % layout.num_nodes == 0 else 1


def moved(
    previous: Numbers, phy2log: Numbers, layout: Layout, gpus_per_node: int | None, expert_bytes: int | None
) -> Moved:
    """Count it."""
    nodes = nodes_of(layout, gpus_per_node)
    found = moves(previous, phy2log, layout.num_gpus, nodes)
    number = None if expert_bytes is None else found.bytes(expert_bytes)
    across = int(found.sent_across.sum())
    return Moved(found.received.sum(axis=1), layout.num_replicas, nodes, across, number)
