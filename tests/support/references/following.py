"""Plans that follow another, in plain Python over float32 numbers: paths of aimed steps, and the best plan on them."""

from dataclasses import dataclass, field

import numpy as np

from tests.support.references.beginning import Loads, Rules, begun, over_samples
from tests.support.references.hashing import hashed
from tests.support.references.moving import Slots, by_gpu, kept
from tests.support.references.plan import Float, tree_sum
from tests.support.references.steps import ZERO, State, Way, best_step, busiest

# Shares of the excess that targets leave: first of that at the start, then of that of the best plan so far.
WIDE = [0.75 * 4.0**-i for i in range(6)]
NARROW = [15 / 16, 7 / 8, 3 / 4, 5 / 8] * 2
FREELY = [0.75, 0.375, 0.1875, 0.09375]


@dataclass
class Search:
    """Paths from one plan, and the best plan on them."""

    start: list[list[int]]
    before: list[list[int]]
    there: Slots  # for prices
    node: list[int]
    loads: Loads
    budget: int
    rules: Rules
    way: Way
    best: list[list[int]] = field(init=False)

    def run(self) -> list[list[int]]:
        self.best = self.start
        lowest = self.lowest()
        wide = FREELY if self.way.is_free else WIDE
        reached = busiest(self.start, self.loads)
        for path, part in enumerate(wide if self.way.is_free else wide + NARROW):
            is_wide = path < len(wide)
            if path == len(wide):
                reached = busiest(self.best, self.loads)
            self.walk(aimed(lowest, reached, part), path, noise=not is_wide)
        return self.best

    def keep(self, now: State) -> None:
        """The plan, if it is the best of all so far."""
        if over_samples(busiest(now.held, self.loads)) < over_samples(busiest(self.best, self.loads)):
            self.best = now.held

    def lowest(self) -> list[Float]:
        """The mean GPU load of the node that has most, in each sample."""
        rules = self.rules
        gpus = np.float32(rules.gpus // rules.nodes)
        means = []
        for load in self.loads:
            of_nodes = [
                tree_sum([w if self.node[e] == node else ZERO for e, w in enumerate(load)])
                for node in range(rules.nodes)
            ]
            means.append(max(total / gpus for total in of_nodes))
        return means

    def walk(self, target: list[Float], path: int, *, noise: bool) -> None:
        """Steps as long as what is above the target falls; the best plan on the way is kept."""
        held, before, turn, tried = self.start, np.float32(np.inf), 0, set[int]()
        while True:
            now = State(held, self.before, self.there, self.node, self.loads, target, self.rules, self.way)
            self.keep(now)
            everything = tree_sum(now.over)
            g = max((gpu for gpu in now.gpus if gpu not in tried), key=lambda gpu: now.over[gpu], default=None)
            if g is None or not (everything < before and now.over[g] > 0):
                return
            step = best_step(now, g, self.budget - now.spent(), hashed(turn + path), noise)
            turn += 1
            if step is None:
                if len(self.loads) == 1:
                    return
                tried.add(g)
                before = np.float32(np.inf)
                continue
            tried.clear()
            held = [list(gpu) for gpu in held]
            for gpu, rank, expert in step.changes:
                held[gpu][rank] = expert
            before = everything


def aimed(lowest: list[Float], reached: list[Float], part: float) -> list[Float]:
    """Targets that leave a part of what is above the lowest."""
    return [x + (y - x) * np.float32(part) for x, y in zip(lowest, reached, strict=True)]


def follow(previous: Slots, loads: Loads, budget: int, rules: Rules, way: Way, *, min_gain: float) -> Slots:
    """The slots of a layer after at most so many moves, where they gain enough."""
    start = begun(previous, loads, budget, rules)
    held, before = by_gpu(start.slots, rules.gpus), by_gpu(start.before, rules.gpus)
    best = Search(held, before, start.there, start.node, loads, budget, rules, way).run()
    slots = kept([expert for gpu in best for expert in gpu], start.before, rules.gpus)
    had, has = (over_samples(busiest(by_gpu(x, rules.gpus), loads)) for x in (start.slots, slots))
    return slots if had - has > 0 and had - has >= np.float32(min_gain) * had else start.slots


def freely(slots: Slots, loads: Loads, rules: Rules, *, changes_counts: bool) -> Slots:
    """A plan improved for samples, at no cost of moves."""
    held = by_gpu(slots, rules.gpus)
    node = [rules.node_of(slots.index(expert) // rules.capacity) for expert in range(rules.experts)]
    way = Way(changes_counts, is_free=True)
    return [expert for gpu in Search(held, held, slots, node, loads, 0, rules, way).run() for expert in gpu]
