"""Aimed steps, in plain Python over float32 numbers: what each gains and costs, and the best of them.

A plan is the experts of each GPU. A place is (rank, GPU); places are looked at rank by rank.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tests.support.references.beginning import Loads, Rules, over_samples
from tests.support.references.hashing import hashed
from tests.support.references.plan import Float, tree_sum

LEAST = np.float32(2.0**-20)
FREE = np.float32(2.0**20)
ZERO = np.float32(0)


@dataclass(frozen=True)
class Way:
    """How a policy follows."""

    changes_counts: bool = True
    keeps_links: bool = False
    is_free: bool = False


class Step(NamedTuple):
    """What a step gains and costs, and the changes: what comes to each GPU's rank."""

    gain: Float
    cost: int
    changes: tuple[tuple[int, int, int], ...]  # GPU, rank, expert


@dataclass
class State:
    """A plan under loads, and a load in each sample that no GPU should have more than."""

    held: list[list[int]]
    before: list[list[int]]
    there: list[int]  # what was in all slots, for prices
    node: list[int]
    loads: Loads
    target: list[Float]
    rules: Rules
    way: Way
    count: list[int] = field(init=False)
    excess: list[list[Float]] = field(init=False)  # [samples][gpus]
    over: list[Float] = field(init=False)  # [gpus]

    def __post_init__(self) -> None:
        self.count = [sum(gpu.count(e) for gpu in self.held) for e in range(self.rules.experts)]
        its = gpu_loads(self.held, self.loads)
        self.excess = [[load - least for load in gpus] for gpus, least in zip(its, self.target, strict=True)]
        self.over = [over_samples([above(row[gpu]) for row in self.excess]) for gpu in self.gpus]

    @property
    def gpus(self) -> range:
        return range(self.rules.gpus)

    @property
    def places(self) -> Iterator[tuple[int, int]]:
        return ((rank, gpu) for rank in range(self.rules.capacity) for gpu in self.gpus)

    def share(self, expert: int, more: int = 0) -> list[Float]:
        """Of a replica in each sample, the expert having so many more; of the last one less than it has itself."""
        number = np.float32(max(self.count[expert] + more, 1))
        return [load[expert] / number for load in self.loads]

    def growth(self, expert: int) -> list[Float]:
        """What a replica gets on top when its expert has one fewer."""
        return [a - b for a, b in zip(self.share(expert, -1), self.share(expert), strict=True)]

    def spent(self) -> int:
        """The price of slots that hold an expert that was not on their GPU, or not as often."""
        return sum(
            self.price(gpu, expert)
            for gpu, (held, before) in enumerate(zip(self.held, self.before, strict=True))
            for rank, expert in enumerate(held)
            if held[:rank].count(expert) >= before.count(expert)
        )

    def price(self, gpu: int, expert: int) -> int:
        return self.rules.price(self.there, gpu, expert)

    def leaves(self, gpu: int, expert: int) -> int:
        """What is got back where a replica leaves that was not there before."""
        is_new = self.held[gpu].count(expert) > self.before[gpu].count(expert)
        return -self.price(gpu, expert) if is_new else 0

    def comes(self, gpu: int, expert: int) -> int:
        return 0 if expert in self.before[gpu] else self.price(gpu, expert)

    def paid(self, more: list[Float], gpus: Callable[[int], bool]) -> Float:
        """What these GPUs have more above the target where each gets so much on top."""
        rows = zip(self.excess, more, strict=True)
        return over_samples(
            [tree_sum([above(x[h] + d) - above(x[h]) if gpus(h) else ZERO for h in self.gpus]) for x, d in rows]
        )


def above(x: Float) -> Float:
    return max(x, ZERO)


def gpu_loads(held: list[list[int]], loads: Loads) -> list[list[Float]]:
    """The load of each GPU in each sample, added up rank by rank."""
    everyone = [expert for gpu in held for expert in gpu]
    return [
        [over_samples([load[expert] / np.float32(everyone.count(expert)) for expert in gpu]) for gpu in held]
        for load in loads
    ]


def busiest(held: list[list[int]], loads: Loads) -> list[Float]:
    """Of each sample."""
    return [max(gpus) for gpus in gpu_loads(held, loads)]


def rewriting(now: State, g: int, rank: int, comes: int) -> Step | None:
    """A slot of the busiest GPU for another expert, its own having replicas elsewhere."""
    rules, goes = now.rules, now.held[g][rank]
    if comes in now.held[g] or now.count[comes] >= rules.most or now.node[comes] != rules.node_of(g):
        return None
    if now.count[goes] == 1:
        return None
    more = now.growth(goes)
    is_doubled = now.held[g].count(goes) > 1
    gain = now.over[g] - now.paid(more, lambda h: h != g and goes in now.held[h])
    rows = zip(now.excess, now.share(goes), more, now.share(comes, 1), strict=True)
    after = over_samples([above(x[g] - share + (d if is_doubled else ZERO) + less) for x, share, d, less in rows])
    return Step(gain - after, now.comes(g, comes) + now.leaves(g, goes), ((g, rank, comes),))


def copying(now: State, g: int, rank: int, place: tuple[int, int]) -> Step | None:
    """One replica more for an expert of the busiest GPU, in place of one that has others."""
    (t, h), rules, comes = place, now.rules, now.held[g][rank]
    goes = now.held[h][t]
    if comes in now.held[h] or now.count[comes] >= rules.most or rules.node_of(g) != rules.node_of(h):
        return None
    if now.count[goes] == 1:
        return None
    more, less, share = now.growth(goes), now.share(comes, 1), now.share(comes)
    is_doubled = now.held[h].count(goes) > 1
    relief = over_samples(
        [
            tree_sum([above(x[i]) - above(x[i] - (a - b)) if comes in now.held[i] else ZERO for i in now.gpus])
            for x, a, b in zip(now.excess, share, less, strict=True)
        ]
    )
    own = over_samples([above(x[h] + d) for x, d in zip(now.excess, more, strict=True)])
    paid = now.paid(more, lambda i: goes in now.held[i]) - own
    rows = zip(now.excess, now.share(goes), more, less, strict=True)
    after = over_samples([above(x[h] - its + (d if is_doubled else ZERO) + gets) for x, its, d, gets in rows])
    return Step(relief - paid - after, now.comes(h, comes) + now.leaves(h, goes), ((h, t, comes),))


def swapping(now: State, g: int, rank: int, place: tuple[int, int]) -> Step | None:
    """An expert of the busiest GPU and one of another swap places."""
    (t, h), rules, goes = place, now.rules, now.held[g][rank]
    comes = now.held[h][t]
    if comes in now.held[g] or goes in now.held[h] or rules.node_of(g) != rules.node_of(h):
        return None
    if now.way.keeps_links and max(now.count[comes], now.count[goes]) > 1:
        return None
    after = []
    for x, a, b in zip(now.excess, now.share(goes), now.share(comes), strict=True):
        after.append(above(x[g] - (a - b)) + above(x[h] + (a - b)))
    cost = now.comes(g, comes) + now.leaves(h, comes) + now.comes(h, goes) + now.leaves(g, goes)
    return Step(now.over[g] + now.over[h] - over_samples(after), cost, ((g, rank, comes), (h, t, goes)))


def best_step(now: State, g: int, left: int, drawn: int, noise: bool) -> Step | None:
    """The step that gains most for its moves, the first of equal ones by kind, expert or place, and rank."""
    everything = [over_samples([load[e] for load in now.loads]) for e in range(now.rules.experts)]
    least = tree_sum(everything) * LEAST
    kinds: list[tuple[Callable[..., Step | None], list[Any]]] = [(swapping, list(now.places))]
    if now.way.changes_counts:
        kinds = [(rewriting, list(range(now.rules.experts))), (copying, list(now.places)), *kinds]
    best, most = None, ZERO
    for kind, columns in kinds:
        drawn = hashed(drawn + 1)
        for column, where in enumerate(columns):
            for rank in range(now.rules.capacity):
                step = kind(now, g, rank, where)
                if step is None or not step.gain * np.float32(now.rules.gpus) > least:
                    continue
                factor = np.float32(1 + noise * (hashed(drawn + rank * len(columns) + column) >> 20) * 2.0**-11)
                for_each = step.gain
                if not now.way.is_free:
                    if step.cost > left:
                        continue
                    for_each = step.gain / np.float32(step.cost) if step.cost > 0 else step.gain * FREE
                if for_each * factor > most:
                    best, most = step, for_each * factor
    return best
