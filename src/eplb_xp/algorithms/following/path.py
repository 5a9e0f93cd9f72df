"""A path: one step after the other from a placing, and the best placing on the way."""

from typing import NamedTuple

from eplb_xp.algorithms.following.choosing import Noise, best_step, taken
from eplb_xp.algorithms.following.samples import over_samples
from eplb_xp.algorithms.following.system import Loads, Placing, Shape, System, loads_of
from eplb_xp.algorithms.following.view import all_over, view
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Best(NamedTuple):
    """The best placings so far: the best of all, or that of each number of moves."""

    expert: Array  # [rows, marks, places]
    busiest: Array  # [rows, marks, samples] load of the busiest GPU
    total: Array  # [rows, marks] over samples; infinite where no placing had so many moves


class Aim(NamedTuple):
    """What a path is aimed at."""

    target: Array  # [rows, samples, 1] load that no GPU should have more than
    noise: Noise


class _Path(NamedTuple):
    """Where a path has come to."""

    placing: Placing
    over: Array  # [rows, 1] what GPUs had above the target before the last step
    tried: Array  # [rows, gpus] those that no step helps now
    goes_on: Array  # [rows, 1]
    round: Array  # [1]
    best: Best


def judged(lib: Standard, placing: Placing, loads: Loads) -> Best:
    """A placing with what its busiest GPUs have, alone."""
    busiest = lib.xp.max(loads.of_gpu, axis=-1)
    return Best(placing.expert[:, None, :], busiest[:, None, :], over_samples(lib, busiest[:, :, None]))


def walked(lib: Standard, system: System, start: Placing, best: Best, aim: Aim, *, shape: Shape) -> Best:
    """The best placings so far and on a path from a placing.

    Each step is the one that gains most for its moves. The path ends where all GPUs keep to the target, or where no
    step gains that the budget allows: of one sample none that helps the busiest GPU, since no other makes that one
    better; of several, where each has a busiest GPU of its own, none that helps any.
    """
    xp = lib.xp

    def unfinished(path: _Path) -> Array:
        return xp.any(path.goes_on)

    def step(path: _Path) -> _Path:
        placing = path.placing
        loads = loads_of(lib, system, placing, shape.num_gpus)
        now = view(lib, system, placing, loads, aim.target, tried=path.tried, shape=shape)
        best = _lighter(lib, path, judged(lib, placing, loads), now.spent)
        above = all_over(lib, now)
        goes_on = path.goes_on & (above < path.over) & (now.ours.over > 0.0)
        found = best_step(lib, system, placing, now, aim.noise, turn=path.round, shape=shape)
        helps = found.score > 0.0
        over = xp.where(helps, above, float("inf"))
        tried = ~helps & (path.tried | (lib.arange_like(path.tried) == now.ours.gpu))
        takes = goes_on & helps
        if system.load.shape[1] == 1:
            goes_on = takes
        placing = taken(lib, placing, now, found, takes, shape=shape)
        return _Path(placing, over, tried, goes_on, path.round + 1, best)

    over = xp.full_like(best.total[:, :1], float("inf"))
    none = xp.broadcast_to(over < 0.0, (*over.shape[:-1], shape.num_gpus))
    begin = _Path(start, over, none, over > 0.0, lib.arange(1, start.count), best)
    return lib.while_loop(unfinished, step, begin).best


def _lighter(lib: Standard, path: _Path, found: Best, spent: Array) -> Best:
    """With the placing that was found, if its busiest GPUs have less in all than that of as many moves."""
    xp, best = lib.xp, path.best
    marks = best.total.shape[-1]
    at = lib.arange(marks, path.round)[None, :] == xp.where(spent < marks, spent, marks - 1)
    better = path.goes_on & at & (found.total < best.total)
    expert, busiest = (xp.where(better[:, :, None], *pair) for pair in zip(found[:2], best[:2], strict=True))
    return Best(expert, busiest, xp.where(better, found.total, best.total))
