"""Where plans that follow another begin, in plain Python over float32 numbers, one layer at a time.

A layer is slots, the expert in each or -1; loads are those of each sample, [samples][experts].
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from tests.support.libraries import NumPyArray
from tests.support.references.moving import Slots, by_gpu
from tests.support.references.plan import Float, clean, tree_sum

Loads = list[list[Float]]


@dataclass(frozen=True)
class Rules:
    """What is the same for all layers."""

    experts: int
    replicas: int
    groups: int
    nodes: int
    gpus: int
    cap: int | None = None  # replicas of one expert
    near_gpus: int | None = None  # of a node of the machine; without it all are
    far_cost: int = 1  # moves that one from another such node counts

    @property
    def capacity(self) -> int:
        return self.replicas // self.gpus

    @property
    def most(self) -> int:
        return self.replicas if self.cap is None else self.cap

    def node_of(self, gpu: int) -> int:
        return gpu // (self.gpus // self.nodes)

    def price(self, there: Slots, gpu: int, expert: int) -> int:
        """Of an expert that comes to a GPU, given what was in all slots."""
        of_node = (self.near_gpus or self.gpus) * self.capacity
        first = gpu * self.capacity // of_node * of_node
        return 1 if expert in there[first : first + of_node] else self.far_cost


@dataclass
class Begun:
    """A layer without empty slots, and what counts as having been there."""

    slots: Slots
    before: Slots  # -1 where a replica was added
    there: Slots  # without all that was added, but for experts that were nowhere: prices go by that
    node: list[int]  # of each expert


def over_samples(values: list[Float]) -> Float:
    """The sum, in the order of samples."""
    return reduce(lambda total, value: total + value, values)


def shares(load: NumPyArray) -> NumPyArray:
    """Each load over the sum of all, rounded down to 24 bits behind the point, all of them ones for the whole."""
    total = tree_sum(load)
    return np.array([share_of(w, total) for w in load], np.float32)


def share_of(part: Float, total: Float) -> Float:
    """What a part is of a total, rounded down to 24 bits behind the point, all of them ones for the whole."""
    share = Fraction(float(part)) / Fraction(float(total)) if total else Fraction(0)
    return np.float32(min(int(share * 2**24), 2**24 - 1)) * np.float32(2.0**-24)


def loads_of_samples(weight: NumPyArray, *, divides: bool = True) -> Loads:
    """Loads [samples, experts] of a layer; of several samples each is divided by its tokens."""
    if divides and len(weight) > 1:
        weight = np.stack([shares(load) for load in clean(weight)])
    return [list(row) for row in clean(weight.reshape(1, -1)).reshape(weight.shape)]


def begun(previous: Slots, loads: Loads, budget: int, rules: Rules) -> Begun:
    """The previous plan as far as it can be kept, its empty slots filled."""
    node = nodes_of_experts(previous, rules)
    load = [over_samples(list(of_samples)) for of_samples in zip(*loads, strict=True)]
    slots = kept(previous, node, rules)
    filling = _Filling(slots, list(slots), node, load, rules)
    while filling.missing():
        filling.place_missing()
    there = list(filling.slots)
    while -1 in filling.slots:
        filling.fill_one(budget, there)
    return Begun(filling.slots, filling.before, there, node)


def nodes_of_experts(previous: Slots, rules: Rules) -> list[int]:
    """The node of each expert: that which holds most of its group and has room; most of all groups come first."""
    size, of_node = rules.experts // rules.groups, rules.replicas // rules.nodes
    held = [[0] * rules.nodes for _ in range(rules.groups)]
    for slot, expert in enumerate(previous):
        if 0 <= expert < rules.experts:
            held[expert // size][slot // of_node] += 1
    room = [rules.groups // rules.nodes] * rules.nodes
    found: dict[int, int] = {}
    while len(found) < rules.groups:
        group, node = max(
            ((group, node) for group in range(rules.groups) for node in range(rules.nodes)
             if group not in found and room[node]),
            key=lambda pair: held[pair[0]][pair[1]],
        )  # fmt: skip
        found[group] = node
        room[node] -= 1
    return [found[expert // size] for expert in range(rules.experts)]


def kept(previous: Slots, node: list[int], rules: Rules) -> Slots:
    """Slots without what is no expert, on another node than its group, or beyond the most replicas of one."""
    slots: Slots = []
    for slot, expert in enumerate(previous):
        stays = 0 <= expert < rules.experts and rules.node_of(slot // rules.capacity) == node[expert]
        slots.append(expert if stays and slots.count(expert) < rules.most else -1)
    return slots


@dataclass
class _Filling:
    """Slots that are filled one after the other."""

    slots: Slots
    before: Slots
    node: list[int]
    load: list[Float]
    rules: Rules

    def missing(self) -> list[int]:
        return [expert for expert in range(self.rules.experts) if expert not in self.slots]

    def share(self, expert: int) -> Float:
        return self.load[expert] / np.float32(max(self.slots.count(expert), 1))

    def gpu_load(self, slot: int) -> Float:
        """The load of the GPU that a slot is on."""
        held = by_gpu(self.slots, self.rules.gpus)[slot // self.rules.capacity]
        return over_samples([np.float32(0) if expert < 0 else self.share(expert) for expert in held])

    def place_missing(self) -> None:
        """The heaviest, in an empty slot of the lightest GPU, else in that of the lightest replica that has others."""
        expert = max(self.missing(), key=lambda each: self.load[each])
        near = [
            slot
            for slot in range(self.rules.replicas)
            if self.rules.node_of(slot // self.rules.capacity) == self.node[expert]
        ]
        empty = [slot for slot in near if self.slots[slot] < 0]
        if empty:
            slot = min(empty, key=self.gpu_load)
        else:
            spare = [slot for slot in near if self.slots.count(self.slots[slot]) > 1]
            slot = min(spare, key=lambda each: self.share(self.slots[each]))
        self.slots[slot] = self.before[slot] = expert

    def fill_one(self, budget: int, there: Slots) -> None:
        """The first empty slot of the lightest GPU: the heaviest replica from elsewhere, or a copy of the lightest."""
        rules = self.rules
        slot = min((slot for slot, expert in enumerate(self.slots) if expert < 0), key=self.gpu_load)
        gpu = slot // rules.capacity
        may = [
            e for e in range(rules.experts) if self.slots.count(e) < rules.most and self.node[e] == rules.node_of(gpu)
        ]
        here = by_gpu(self.slots, rules.gpus)[gpu]
        come, own = [e for e in may if e not in here], [e for e in may if e in here]
        pairs = enumerate(zip(self.slots, self.before, strict=True))
        spent = sum(rules.price(there, at // rules.capacity, a) for at, (a, b) in pairs if a != b)
        heaviest = max(come, key=self.share) if come else None
        if heaviest is not None and (spent + rules.price(there, gpu, heaviest) <= budget or not own):
            self.slots[slot] = heaviest
        else:
            self.slots[slot] = self.before[slot] = min(own, key=self.share)


def loads_of_layers(weight: NumPyArray, *, divides: bool = True) -> list[Loads]:
    """Of loads [samples, layers, experts] those of each layer."""
    return [loads_of_samples(weight[:, layer], divides=divides) for layer in range(weight.shape[1])]


def rules_of(weight: Any, sizes: tuple[int, int, int, int], cap: int | None = None) -> Rules:
    """The rules of a plan; global where groups don't divide over nodes."""
    replicas, groups, nodes, gpus = sizes
    groups, nodes = (groups, nodes) if groups % nodes == 0 else (1, 1)
    return Rules(weight.shape[-1], replicas, groups, nodes, gpus, cap)
