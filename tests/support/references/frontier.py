"""The best plan of each number of moves on paths from one plan, in plain Python over float32 numbers."""

from typing import NamedTuple

import numpy as np

from tests.support.references.beginning import Loads, Rules, begun, over_samples, share_of
from tests.support.references.following import Search, aimed
from tests.support.references.moving import Slots, by_gpu, kept
from tests.support.references.plan import Float, tree_sum
from tests.support.references.steps import State, Way, busiest

# Shares of the excess at the start that targets leave, and of what the best within so many eighths of the moves leaves.
WIDE = [15 / 16, 7 / 8, 3 / 4, 5 / 8, 1 / 2, 3 / 8, 5 / 16, 1 / 4, 3 / 16, 1 / 8]
WIDE += [3 / 32, 3 / 64, 3 / 128, 3 / 512, 3 / 2048]
NARROW = [(eighths, part) for eighths in range(1, 9) for part in (15 / 16, 3 / 4)]
ONE = np.float32(1)


class FrontierSearch(Search):
    """Paths from one plan, and the best plan of each number of moves."""

    def run_all(self) -> dict[int, list[list[int]]]:
        self.found = {0: self.start}
        lowest, reached = self.lowest(), busiest(self.start, self.loads)
        for path, part in enumerate(WIDE):
            self.walk(aimed(lowest, reached, part), path, noise=False)
        first = dict(self.found)
        for path, (eighths, part) in enumerate(NARROW, len(WIDE)):
            moves = self.budget * eighths // 8 or min(self.budget, 1)
            within = [first[number] for number in sorted(first) if number <= moves]
            best = min((busiest(held, self.loads) for held in within), key=over_samples)
            self.walk(aimed(lowest, best, part), path, noise=True)
        return self.found

    def keep(self, now: State) -> None:
        """The plan, if it is the best of as many moves."""
        moves, total = min(now.spent(), self.budget), over_samples(busiest(now.held, self.loads))
        if moves not in self.found or total < over_samples(busiest(self.found[moves], self.loads)):
            self.found[moves] = now.held


class Bought(NamedTuple):
    """The plan for a number of moves, and what it brings."""

    slots: Slots
    counts: list[int]
    busiest: Float  # in units of the loads, of samples a share of all
    balancedness: Float


def frontier(previous: Slots, loads: Loads, max_moves: int, rules: Rules, way: Way) -> list[Bought]:
    """For each number of moves the best of the plans of as many or fewer."""
    begin = begun(previous, loads, 0, rules)
    held, before = by_gpu(begin.slots, rules.gpus), by_gpu(begin.before, rules.gpus)
    found = FrontierSearch(held, before, begin.there, begin.node, loads, max_moves, rules, way).run_all()
    everything = tree_sum([over_samples(list(of_samples)) for of_samples in zip(*loads, strict=True)])
    best, least, bought = begin.slots, np.float32(np.inf), []
    for moves in range(max_moves + 1):
        if moves in found:
            slots = kept([expert for gpu in found[moves] for expert in gpu], begin.before, rules.gpus)
            total = over_samples(busiest(by_gpu(slots, rules.gpus), loads))
            best, least = (slots, total) if total < least else (best, least)
        balance = min(everything / np.float32(rules.gpus) / least, ONE) if least > 0 else ONE
        share = least if len(loads) == 1 else share_of(least, everything)
        bought.append(Bought(best, [best.count(expert) for expert in range(rules.experts)], share, balance))
    return bought
