"""How well a plan carries given loads under given shares."""

from eplb_xp.algorithms.evaluation import balancedness, doubled
from eplb_xp.algorithms.maps import looked_up
from eplb_xp.algorithms.rows import slot_sum
from eplb_xp.algorithms.runs import by_item, run_sum, runs_of
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.algorithms.sharing.shares import share_of_plan
from eplb_xp.algorithms.sharing.tokens import whole_tokens
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array, SharedReport


def shared_report(
    lib: Standard, phy2log: Array, shares: Array, tolerance: Array, weight: Array, *, num_gpus: int, rounds: int
) -> SharedReport[Array]:
    """Loads of the GPUs under these shares [layers, replicas], and their balance beside that of the best ones."""
    xp = lib.xp
    layers, experts = weight.shape
    load, unit = scaled(lib, weight)
    phy2log = looked_up(lib, phy2log, experts)
    part = _parts(lib, phy2log, whole_tokens(lib, shares), experts)
    slot_load = lib.take_along_axis(load, phy2log) * part
    gpu_load = slot_sum(lib, xp.reshape(slot_load, (layers, num_gpus, phy2log.shape[-1] // num_gpus)))

    best = share_of_plan(lib, phy2log, tolerance, weight, num_gpus=num_gpus, rounds=rounds)
    best_load = xp.astype(best.gpu_load, xp.float32)
    # Shares are of whole tokens, which floats may not be.
    bound = best.lower_bound / xp.clip(xp.sum(best_load, axis=-1), 1.0, None) * xp.sum(gpu_load, axis=-1)
    busiest = xp.max(gpu_load, axis=-1)
    return SharedReport(
        gpu_load * unit,
        balancedness(lib, gpu_load),
        balancedness(lib, best_load),
        bound * unit[:, 0],
        xp.clip(busiest / xp.where(bound > 0.0, bound, 1.0) - 1.0, 0.0, None) * xp.astype(bound > 0.0, xp.float32),
        doubled(lib, phy2log, num_gpus),
    )


def _parts(lib: Standard, phy2log: Array, tokens: Array, experts: int) -> Array:
    """The part that each slot takes of its expert, given whole tokens; equal ones where there are none."""
    xp = lib.xp
    runs = runs_of(lib, phy2log, experts)
    total = run_sum(lib, runs, lib.take_along_axis(tokens, runs.order))
    one = xp.where(lib.take_along_axis(total, runs.owner) > 0, lib.take_along_axis(tokens, runs.order), 1)
    of = lib.take_along_axis(xp.where(total > 0, total, runs.length), runs.owner)
    return by_item(lib, runs, xp.astype(one, xp.float32) / xp.astype(of, xp.float32))
