"""What each number of moves buys: balance, slots that move, and what that is worth later."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eplb_xp.cli.counted import Counted
from eplb_xp.cli.files import Loads
from eplb_xp.cli.frontiers import Made, Search
from eplb_xp.cli.later import equal_load, split
from eplb_xp.cli.layout import Layout
from eplb_xp.cli.moved import nodes_of
from eplb_xp.cli.planning import Numbers, Planned
from eplb_xp.cli.summary import Summary, of_balancedness
from eplb_xp.moving import moves
from eplb_xp.simulation.slots import as_units, balancedness


class Figures(NamedTuple):
    """One plan: of all layers."""

    balancedness: Numbers  # [layers] on the sum of the steps
    short: Summary  # of that
    slots: Numbers  # [layers] that receive an expert from another GPU
    across: Numbers  # [layers] of these from another node
    later: float | None  # balancedness in later steps of such a plan of the first ones


class Spent(NamedTuple):
    """Moves divided among the layers, and the same number in each layer that brings as much."""

    total: int  # that were to be divided
    moves: Numbers  # [layers]
    figures: Figures
    same: int


class Bought(NamedTuple):
    """What plans bring, and where from."""

    loads: Loads
    layout: Layout
    search: Search
    counted: Counted
    made: Made
    numbers: tuple[Figures, ...]  # for 0, 1, 2 and more moves
    planners: tuple[tuple[Planned, Figures], ...]  # as EPLB plans, and with GPUs relabelled
    spent: Spent | None
    judged: tuple[int, int] | None  # steps planned for and judged, where there are several

    @property
    def num_nodes(self) -> int:
        """Between which moves are counted."""
        return nodes_of(self.layout, self.search.reach.gpus_per_node)

    @property
    def named(self) -> list[tuple[str, Figures]]:
        """The planners under names for people."""
        (_, eplb), (planned, relabelled) = self.planners
        return [("fresh EPLB", eplb), (f"fresh {planned.name}", relabelled)]

    def cost(self, figures: Figures) -> int:
        """Moves of all layers, those across nodes counted as often as the budget does."""
        return int(figures.slots.sum() + (self.search.reach.far_cost - 1) * figures.across.sum())

    def closed(self, figures: Figures) -> float | None:
        """How much of what the plan in use lacks of even GPUs is made good, in the mean; None where it lacks none."""
        kept, mean = self.numbers[0].short.mean, figures.short.mean
        return None if kept is None or mean is None or kept >= 1 else (mean - kept) / (1 - kept)


def buy(loads: Loads, layout: Layout, search: Search, counted: Counted, announce: Callable[[str], None]) -> Bought:
    """Make the plans, and measure them; of several steps the first are planned for once more, the others judged."""
    made = search.make(loads.over_time, layout, counted, announce)
    parts = split(loads.over_time)
    later: list[float | None] = [None] * len(made.phy2log)
    if parts is not None:
        later = _later(search.make(parts[0], layout, counted, announce).phy2log, parts[1], layout)
    figures = _measure(made.phy2log, search, loads, layout, later)
    number = made.frontier.phy2log.shape[1]
    fresh = figures[number : number + len(made.fresh)]
    spent = None
    if made.spent is not None and search.total is not None:
        spent = Spent(search.total, made.spent, figures[-1], _same(made))
    planners = tuple(zip(made.fresh, fresh, strict=True))
    judged = None if parts is None else (len(parts[0]), len(parts[1]))
    return Bought(loads, layout, search, counted, made, tuple(figures[:number]), planners, spent, judged)


def _measure(
    phy2log: Numbers, search: Search, loads: Loads, layout: Layout, later: list[float | None]
) -> list[Figures]:
    """Of plans [plans, layers, replicas], all at once."""
    plans, layers, replicas = phy2log.shape
    balance = _balance(phy2log, _counts(phy2log, loads.load.shape[1]), loads.load, layout)
    nodes = nodes_of(layout, search.reach.gpus_per_node)
    rows = phy2log.reshape(-1, replicas)
    found = moves(np.tile(search.previous, (plans, 1)), rows, layout.num_gpus, nodes)
    slots, across = (each.sum(axis=1).reshape(plans, layers) for each in (found.received, found.sent_across))
    return [
        Figures(each, of_balancedness(each, loads.busy), received, far, then)
        for each, received, far, then in zip(balance, slots, across, later, strict=True)
    ]


def _later(phy2log: Numbers, steps: Numbers, layout: Layout) -> list[float | None]:
    """Balancedness of each plan, mean of the layers and steps that have tokens."""
    busy = steps.max(axis=2) > 0
    if not busy.any():
        return [None] * len(phy2log)
    counts = _counts(phy2log, steps.shape[2])
    balance = np.stack([_balance(phy2log, counts, step, layout) for step in steps], axis=1)
    return [float(each[busy].mean()) for each in balance]


def _balance(phy2log: Numbers, counts: Numbers, load: Numbers, layout: Layout) -> Numbers:
    """Under equal shares: [plans, layers]."""
    plans, layers, replicas = phy2log.shape
    share = (as_units(load) / counts).reshape(plans * layers, -1)
    gpu_load = equal_load(phy2log.reshape(-1, replicas), share, layout.num_gpus)
    return balancedness(gpu_load).reshape(plans, layers)


def _counts(phy2log: Numbers, experts: int) -> Numbers:
    """Replicas of each expert: [plans, layers, experts]."""
    rows = phy2log.reshape(-1, phy2log.shape[2])
    counts = np.zeros((len(rows), experts), np.int64)
    np.add.at(counts, (np.arange(len(rows))[:, None], rows), 1)
    return counts.reshape(*phy2log.shape[:2], experts)


def _same(made: Made) -> int:
    """The fewest moves that, the same in every layer, make the busiest GPUs of all together as quick."""
    busiest = made.frontier.busiest.astype(np.float64)
    reached = np.take_along_axis(busiest, np.asarray(made.spent)[:, None], axis=1).sum()
    # The last number has in every layer the least there is.
    return int(np.argmax(busiest.sum(axis=0) <= reached))
