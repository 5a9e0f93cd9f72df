"""Where weights come from, in plain Python, for one layer, one slot after the other; and what no choice can beat."""

from typing import Any, NamedTuple

import numpy as np
import pytest


class Nodes(NamedTuple):
    """Slots, GPUs and nodes."""

    slots: int
    gpus: int
    nodes: int

    def gpu(self, slot: int) -> int:
        return slot * self.gpus // self.slots

    def node(self, slot: int) -> int:
        return slot * self.nodes // self.slots


def nearest(previous: list[int], plan: list[int], where: Nodes) -> list[list[int]]:
    """For each slot the slots that its weights may come from: itself, else of its GPU, else of its node, else all."""
    found = []
    for slot, expert in enumerate(plan):
        holding = [other for other, held in enumerate(previous) if held == expert]
        groups = (
            [other for other in holding if other == slot],
            [other for other in holding if where.gpu(other) == where.gpu(slot)],
            [other for other in holding if where.node(other) == where.node(slot)],
            holding,
        )
        found.append(next((group for group in groups if group), []))
    return found


def sources(previous: list[int], plan: list[int], where: Nodes) -> list[int]:
    """Slots of fewest choices first, from who has sent least; then chains from who sends most to who may send more."""
    choices = nearest(previous, plan, where)
    source = [slots[0] if slots else -1 for slots in choices]
    gpus = [{where.gpu(other) for other in slots} for slots in choices]
    sent = [0] * where.gpus
    for slot, holders in enumerate(gpus):
        if len(holders) == 1 and where.gpu(slot) not in holders:
            sent[where.gpu(source[slot])] += 1
    several = [slot for slot, holders in enumerate(gpus) if len(holders) > 1]
    for slot in sorted(several, key=lambda slot: (len(gpus[slot]), slot)):
        source[slot] = min(choices[slot], key=lambda other: (sent[where.gpu(other)], other))
        sent[where.gpu(source[slot])] += 1
    while _pass_on(source, sent, {slot: choices[slot] for slot in several}, where):
        pass
    return source


def _pass_on(source: list[int], sent: list[int], choices: dict[int, list[int]], where: Nodes) -> bool:
    """One chain, the shortest from a GPU that sends most, if there is any."""
    links = {gpu: 0 for gpu, number in enumerate(sent) if number < max(sent) - 1}
    busiest = {gpu for gpu, number in enumerate(sent) if number == max(sent)}
    number = 0
    while not busiest & links.keys():
        number += 1
        more = {
            where.gpu(source[slot]): number
            for slot, slots in choices.items()
            if any(where.gpu(other) in links for other in slots)
        }
        if more.keys() <= links.keys():
            return False
        links = more | links
    gpu = min(busiest & links.keys())
    for left in range(links[gpu], 0, -1):
        for slot, slots in choices.items():
            near = [other for other in slots if links.get(where.gpu(other), left) < left]
            if where.gpu(source[slot]) == gpu and near:
                sent[gpu] -= 1
                source[slot] = min(near, key=lambda other: (sent[where.gpu(other)], other))
                gpu = where.gpu(source[slot])
                sent[gpu] += 1
                break
    return True


def least_busiest(previous: list[int], plan: list[int], where: Nodes) -> int:
    """The least that the GPU that sends most can send, by matchings of slots with so many places of each GPU."""
    graphs: Any = pytest.importorskip("scipy.sparse.csgraph")
    sparse: Any = pytest.importorskip("scipy.sparse")
    choices = nearest(previous, plan, where)
    gpus = [{where.gpu(other) for other in slots} - {where.gpu(slot)} for slot, slots in enumerate(choices)]
    sent = [sorted(holders) for holders in gpus if holders]
    can = np.zeros((len(sent), where.gpus), np.int8)
    for row, holders in enumerate(sent):
        can[row, holders] = 1
    busiest = 0
    while sent and (graphs.maximum_bipartite_matching(sparse.csr_matrix(np.tile(can, busiest)), "column") < 0).any():
        busiest += 1
    return busiest
