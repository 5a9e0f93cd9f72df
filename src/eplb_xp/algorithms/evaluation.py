"""How well a plan carries given loads."""

from eplb_xp.algorithms.bounds.lower_bound import lower_bound
from eplb_xp.algorithms.maps import looked_up
from eplb_xp.algorithms.packing.packed import packed
from eplb_xp.algorithms.rows import count, count_at_most
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.standard import Standard
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array, Report


def report(lib: Standard, phy2log: Array, weight: Array, *, sizes: Sizes) -> Report[Array]:
    """Loads of the GPUs under equal shares, their balance, and how far the busiest is from the bound."""
    xp = lib.xp
    experts = weight.shape[-1]
    load, unit = scaled(lib, weight)
    phy2log = looked_up(lib, phy2log, experts)
    replicas = xp.clip(_replica_counts(lib, phy2log, experts), 1, None)
    share = lib.divide(load, xp.astype(replicas, xp.float32))
    gpu_load = packed(lib, phy2log, share, sizes.num_gpus).pack_load

    busiest = xp.max(gpu_load, axis=-1)
    bound = lower_bound(lib, load, sizes)
    idle = busiest == 0.0
    return Report(
        gpu_load * unit,
        balancedness(lib, gpu_load),
        bound * unit[:, 0],
        xp.clip(busiest / xp.where(idle, 1.0, bound) - 1.0, 0.0, None),
        doubled(lib, phy2log, sizes.num_gpus),
    )


def balancedness(lib: Standard, gpu_load: Array) -> Array:
    """Mean GPU load / that of the busiest, 1 where there is none: [layers]."""
    xp = lib.xp
    busiest = xp.max(gpu_load, axis=-1)
    mean = xp.sum(gpu_load, axis=-1) / gpu_load.shape[-1]
    idle = busiest == 0.0
    return xp.clip(xp.where(idle, 1.0, mean) / xp.where(idle, 1.0, busiest), None, 1.0)


def _replica_counts(lib: Standard, phy2log: Array, experts: int) -> Array:
    """How many slots hold each expert: [layers, experts]."""
    xp = lib.xp
    expert = xp.broadcast_to(lib.arange(experts, phy2log), (phy2log.shape[0], experts))
    up_to = count_at_most(lib, xp.sort(phy2log, axis=-1), expert, experts)
    return up_to - xp.concat([xp.zeros_like(up_to[:, :1]), up_to[:, :-1]], axis=-1)


def doubled(lib: Standard, phy2log: Array, num_gpus: int) -> Array:
    """Replicas beyond the first of an expert on one GPU: [layers]."""
    xp = lib.xp
    layers, replicas = phy2log.shape
    capacity = replicas // num_gpus
    ordered = xp.sort(xp.reshape(phy2log, (layers, num_gpus, capacity)), axis=-1)
    again = ordered[:, :, 1:] == ordered[:, :, :-1]
    return count(lib, xp.reshape(again, (layers, num_gpus * (capacity - 1))))[:, 0]
