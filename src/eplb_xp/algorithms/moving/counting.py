"""Which experts a new plan moves."""

from eplb_xp.algorithms.moving.copies import copies, kept
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def moved(lib: Standard, phy2log: Array, previous: Array, num_gpus: int) -> Array:
    """Whether each slot holds an expert that its GPU did not hold, or not as often: [layers, slots of a GPU, gpus].

    Both plans are [layers, slots]; in the previous one -1 is a slot that held nothing.
    """
    return ~kept(lib, copies(lib, phy2log, num_gpus), copies(lib, previous, num_gpus))
