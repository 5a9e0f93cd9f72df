"""Balance against the numbers of replicas and GPUs."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from eplb_xp.cli.comparison import Measured, measure
from eplb_xp.cli.errors import UserError
from eplb_xp.cli.files import Loads
from eplb_xp.cli.later import judge_later, split
from eplb_xp.cli.layout import Layout, least_replicas, usual_gpus
from eplb_xp.cli.planning import Planner

SPARE_SLOTS = (0, 1, 2, 4, 8)  # of a GPU
PRICE = 0.1  # of balancedness, for as much memory again as one replica of each expert takes


class Grid(NamedTuple):
    """The sizes to plan for, and those that don't fit together."""

    layouts: tuple[Layout, ...]
    skipped: tuple[tuple[Layout, str], ...]  # and why


class Sweep(NamedTuple):
    """What a policy makes of each size."""

    loads: Loads
    policy: str
    results: tuple[tuple[Layout, Measured], ...]
    skipped: tuple[tuple[Layout, str], ...]

    @property
    def num_gpus(self) -> list[int]:
        """The numbers of GPUs for which there are results."""
        return sorted({layout.num_gpus for layout, _ in self.results})

    def on(self, num_gpus: int) -> dict[int, Measured]:
        """The results for a number of GPUs, by their replicas."""
        return {layout.num_replicas: found for layout, found in self.results if layout.num_gpus == num_gpus}

    @property
    def is_judged_later(self) -> bool:
        """Whether plans were judged on later steps than those they were made for."""
        return any(found.later is not None for _, found in self.results)

    def balance(self, found: Measured, *, best: bool = False) -> float | None:
        """The mean balancedness that counts: that of later steps where there are some, else of the loads planned for.

        With replicas sharing equally, or with the best shares. None where nothing has tokens.
        """
        if found.later is not None:
            return found.later.means[best]
        return float(found.balancedness[self.loads.busy].mean()) if self.loads.busy.any() else None

    def worth(self, num_gpus: int, *, best: bool = False) -> int | None:
        """The replicas with the best balance on so many GPUs, less the price of their memory; None if it is None."""
        experts = self.loads.load.shape[1]
        values = {replicas: self.balance(found, best=best) for replicas, found in sorted(self.on(num_gpus).items())}
        priced = {replicas: x - PRICE * replicas / experts for replicas, x in values.items() if x is not None}
        return max(priced, key=lambda replicas: priced[replicas], default=None)


def usual_gpu_list(experts: int) -> tuple[int, ...]:
    """Numbers of GPUs that are worth a look."""
    usual = usual_gpus(experts)
    return usual // 2, usual, usual * 2


def usual_replica_list(experts: int, gpus: Iterable[int]) -> tuple[int, ...]:
    """Numbers of replicas that are worth a look on some of the GPUs: at most one more for each expert."""
    least = {num_gpus: least_replicas(experts, num_gpus) for num_gpus in gpus}
    replicas = {few + spare * num_gpus for num_gpus, few in least.items() for spare in SPARE_SLOTS}
    return tuple(sorted(number for number in replicas if number <= max(2 * experts, *least.values())))


def grid(
    experts: int, replicas: tuple[int, ...] | None, gpus: tuple[int, ...] | None, num_groups: int, num_nodes: int
) -> Grid:
    """Every number of replicas on every number of GPUs, by default the usual ones."""
    gpus = gpus or usual_gpu_list(experts)
    replicas = replicas or usual_replica_list(experts, gpus)
    layouts, skipped = [], []
    for num_gpus in gpus:
        for num_replicas in replicas:
            layout = Layout(num_replicas, num_groups, num_nodes, num_gpus)
            try:
                layout.check(experts)
            except UserError as error:
                skipped.append((layout, str(error)))
            else:
                layouts.append(layout)
    if not layouts:
        raise UserError(f"none of the sizes fit together, the first because {skipped[0][1]}")
    return Grid(tuple(layouts), tuple(skipped))


def sweep(loads: Loads, planner: Planner, sizes: Grid, announce: Callable[[str], None]) -> Sweep:
    """Plan and measure for all sizes; of several steps the first ones are planned for, and the others judged."""
    parts = split(loads.over_time)
    load = loads.load if parts is None else parts[0].sum(axis=0, dtype=np.float64)
    results = []
    for layout in sizes.layouts:
        announce(f"planning {planner.policy}")
        planned = planner.plan(load, layout)
        found = measure(planned, load, layout)
        if parts is not None:
            later = judge_later(planned.plan, parts[1], len(parts[0]), layout)
            found = found._replace(later=later)
        results.append((layout, found))
    return Sweep(loads, planner.policy, tuple(results), sizes.skipped)
