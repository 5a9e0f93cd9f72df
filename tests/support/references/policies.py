"""What the policies beside greedy must compute, in plain Python over float32 numbers."""

from dataclasses import replace
from typing import Any

import numpy as np

from eplb_xp import POLICIES, Plan, Policy
from eplb_xp.sizes import Sizes
from tests.support.libraries import NumPyArray
from tests.support.references import plan as reference
from tests.support.references import rings
from tests.support.references.finishing import finished, most_steps
from tests.support.references.hashing import hashed
from tests.support.references.joint import placed
from tests.support.references.levels import Candidate
from tests.support.references.plan import Float, Row
from tests.support.references.swaps import Packing, busiest, heaviest_first, parted, swapped


def noise(policy: Policy, start: int, item: int) -> Float:
    """The factor that a start sorts an item by."""
    u = hashed(hashed(hashed(policy.seed) + start) + item) >> 20
    share = start * round(policy.noise * 4096) // max(policy.starts - 1, 1)
    return np.float32(1 + u * share / 2**23)


def assign(load: Row, num_packs: int, policy: Policy, expert: list[int] | None = None) -> Packing:
    """The best of all starts: packed, replicas of an expert parted if experts are given, swapped and finished."""
    items = range(len(load))
    if num_packs == 1 or len(load) <= num_packs:  # every packing is as good as any other
        return heaviest_first(load, num_packs, load)
    found = []
    for start in range(policy.starts):
        packs = heaviest_first(load, num_packs, [load[item] * noise(policy, start, item) for item in items])
        if expert is not None:
            packs = parted(packs, load, expert)
        of = list(items) if expert is None else expert
        packs = swapped(packs, load, of, policy, policy.rounds)
        found.append(finished(packs, load, of, policy, most_steps(policy, num_packs, len(packs[0]))))
    return min(found, key=lambda packs: busiest(packs, load))


def replicate(load: Row, replicas: int, fewest: int, most: int) -> tuple[list[int], list[int]]:
    """The spares one by one to the expert with the largest load per replica that may have more; and all counts."""
    load = np.where(np.asarray(load) > 0, load, np.float32(2.0**-80))
    count = np.full(len(load), fewest, np.float32)
    spares = []
    for _ in range(replicas - len(load) * fewest):
        expert = int(np.argmax(np.where(count < most, load / count, 0)))
        spares.append(expert)
        count[expert] += 1
    return spares, [int(n) for n in count]


def place(load: NumPyArray, sizes: Sizes, policy: Policy) -> tuple[list[int], list[int]]:
    """One layer: groups onto nodes as EPLB does or with swaps as well, whichever gives the lower busiest GPU."""
    size = len(load) // sizes.num_groups
    group_load = [reference.tree_sum(load[g : g + size]) for g in range(0, len(load), size)]
    plans = []
    for way in (POLICIES["greedy"], replace(policy, starts=1, finish=0, shakes=0)):
        split = assign(group_load, sizes.num_nodes, way)
        members = [[g * size + i for g in node for i in range(size)] for node in split]
        plans.append(place_by_node(load, members, sizes, policy))

    def busiest_gpu(plan: tuple[list[int], list[int]]) -> Float:
        phy2log, logcnt = plan
        each = sizes.num_replicas // sizes.num_gpus
        gpus = [phy2log[slot : slot + each] for slot in range(0, len(phy2log), each)]
        return busiest(gpus, [w / np.float32(n) for w, n in zip(load, logcnt, strict=True)])

    return min(plans, key=busiest_gpu)


def place_by_node(
    load: NumPyArray, members: list[list[int]], sizes: Sizes, policy: Policy
) -> tuple[list[int], list[int]]:
    """Each node: replicas for its experts, and a GPU for each replica."""
    slots, gpus = sizes.num_replicas // sizes.num_nodes, sizes.num_gpus // sizes.num_nodes
    phy2log, logcnt = [], np.zeros(len(load), np.int64)
    for experts in members:
        everywhere = experts if slots >= len(experts) * gpus else []
        most = sizes.max_replicas or slots
        most = min(most, slots if everywhere else gpus)
        spares, count = replicate(load[experts], slots, gpus if everywhere else 1, most)
        if policy.ring and not everywhere and 1 < gpus < slots:
            held = rings.placed(load[experts], spares, count, gpus, policy)
        elif spares and policy.levels and not everywhere and 1 < gpus < slots:
            held, count = placed(load[experts], Candidate(spares, count), gpus, most, policy)
        else:
            replica = spares if everywhere else [*range(len(experts)), *spares]
            share = [load[experts[e]] / np.float32(count[e]) for e in replica]
            packs = assign(share, gpus, policy, None if everywhere else replica)
            held = [[replica[item] for item in pack] for pack in packs]
        for pack in held:
            phy2log += [experts[e] for e in pack] + everywhere
        logcnt[experts] = count
    return phy2log, logcnt.tolist()


def plan(weight: NumPyArray, *sizes: int, policy: Policy, max_replicas: int | None = None) -> Plan[NumPyArray]:
    """The plan of every layer with its three maps, the slots of an expert in ascending order."""
    replicas, groups, nodes, gpus = sizes
    if groups % nodes:
        groups = nodes = 1
    checked = Sizes(replicas, groups, nodes, gpus, max_replicas)
    layers, experts = weight.shape
    placed = [place(load, checked, policy) for load in reference.clean(weight)]
    phy2log: Any = np.reshape(np.array([slots for slots, _ in placed], np.int64), (layers, replicas))
    logcnt = np.reshape(np.array([count for _, count in placed], np.int64), (layers, experts))
    log2phy = np.full((layers, experts, max_replicas or replicas - experts + 1), -1)
    for layer in range(layers):
        for expert in range(experts):
            held = np.flatnonzero(phy2log[layer] == expert)
            log2phy[layer, expert, : len(held)] = held
    return Plan(phy2log, log2phy, logcnt)
