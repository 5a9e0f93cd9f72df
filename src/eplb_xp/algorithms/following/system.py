"""What a search starts from and never changes, and what it changes: the expert in each place."""

from typing import NamedTuple

from eplb_xp.algorithms.rows import slot_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Shape(NamedTuple):
    """What is the same for all rows."""

    num_gpus: int
    num_nodes: int  # an expert stays on its own
    most: int  # replicas of one expert
    is_free: bool  # whether moves cost nothing
    changes_counts: bool  # else replicas only swap places
    keeps_links: bool  # whether only those of experts of one replica do
    near_gpus: int  # GPUs of a node of the machine, be the plan one of nodes or not
    far_cost: int  # moves that one from another such node counts

    @property
    def gpus_of_node(self) -> int:
        """GPUs of a node."""
        return self.num_gpus // self.num_nodes


class System(NamedTuple):
    """What does not change; a place is rank in the GPU * GPUs + GPU."""

    load: Array  # [rows, samples, experts]
    before: Array  # [rows, places] the expert that was in each
    node: Array  # [rows, experts] of each expert; 0 where all are one
    price: Array  # [rows, items] as `prices` has them
    budget: Array  # [rows, 1] moves: slots that receive an expert that was not on their GPU, each at its price


class Placing(NamedTuple):
    """The expert in each place, which a search changes."""

    expert: Array  # [rows, places]
    count: Array  # [rows, experts] replicas of each
    spare: Array  # [rows, replicas - experts] the expert of every replica that is not its first


class Loads(NamedTuple):
    """Loads of a placing, replicas sharing equally."""

    share: Array  # [rows, samples, experts] of a replica
    less: Array  # [rows, samples, experts] of one once its expert has one more
    more: Array  # [rows, samples, experts] what it gets on top once its expert has one fewer
    of_place: Array  # [rows, samples, capacity, gpus] the share there
    of_gpu: Array  # [rows, samples, gpus]


def by_gpu(lib: Standard, places: Array, num_gpus: int) -> Array:
    """Values of places [rows, replicas] as [rows, capacity, gpus]."""
    rows, size = places.shape
    return lib.xp.reshape(places, (rows, size // num_gpus, num_gpus))


def of_experts(lib: Standard, values: Array, expert: Array) -> Array:
    """Values of experts [rows, samples, experts] for these [rows, items]: [rows, samples, items]."""
    xp = lib.xp
    rows, samples, experts = values.shape
    items = expert.shape[-1]
    each = xp.reshape(xp.broadcast_to(expert[:, None, :], (rows, samples, items)), (rows * samples, items))
    found = lib.take_along_axis(xp.reshape(values, (rows * samples, experts)), each)
    return xp.reshape(found, (rows, samples, items))


def loads_of(lib: Standard, system: System, placing: Placing, num_gpus: int) -> Loads:
    """The loads of a placing, those of a GPU added up in the order of its slots."""
    xp = lib.xp
    rows, samples, _ = system.load.shape
    count = xp.broadcast_to(xp.astype(placing.count, xp.float32)[:, None, :], system.load.shape)
    share = lib.divide(system.load, count)
    less = lib.divide(system.load, count + 1.0)
    more = lib.divide(system.load, xp.clip(count - 1.0, 1.0, None)) - share
    of_place = of_experts(lib, share, placing.expert)
    capacity = placing.expert.shape[-1] // num_gpus
    of_place = xp.reshape(of_place, (rows, samples, capacity, num_gpus))
    by_slot = xp.permute_dims(xp.reshape(of_place, (rows * samples, capacity, num_gpus)), (0, 2, 1))
    return Loads(share, less, more, of_place, xp.reshape(slot_sum(lib, by_slot), (rows, samples, num_gpus)))
