"""Batches of several ranks, and shares of any plan, in any order of replicas."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from eplb_xp import Plan, Shares, share_tokens
from tests.support.libraries import NumPyArray
from tests.support.shares import Shape, drawn_plans


class Batch(NamedTuple):
    """Shares of a plan, and what each rank has."""

    shares: Shares[NumPyArray]
    plan: Plan[NumPyArray]
    counts: NumPyArray  # [layers, ranks, experts]


def plan_of(phy2log: NumPyArray, experts: int, rng: np.random.Generator) -> Plan[NumPyArray]:
    """The maps of it, the replicas of each expert in any order."""
    layers, replicas = phy2log.shape
    width = replicas - experts + 1
    log2phy, logcnt = np.full((layers, experts, width), -1), np.zeros((layers, experts), np.int64)
    for layer, slots in enumerate(phy2log):
        for slot in rng.permutation(replicas) if layer % 2 else range(replicas):
            expert = slots[slot]
            log2phy[layer, expert, logcnt[layer, expert]] = slot
            logcnt[layer, expert] += 1
    return Plan(phy2log, log2phy, logcnt)


def any_counts(rng: np.random.Generator, maps: Any, most: int) -> tuple[tuple[NumPyArray, ...], int]:
    """What `quotas` is given for three layers, of any shares and counts that need not belong together; and nodes."""
    phy2log, log2phy, logcnt, ranks = maps
    nodes = int(rng.choice([n for n in range(1, ranks + 1) if ranks % n == 0]))
    counts = rng.integers(-1, most + 1, (3, ranks, logcnt.shape[1]))
    share = rng.integers(-1, most + 1, phy2log.shape)
    return (share, phy2log, log2phy, logcnt, counts), nodes


def any_tokens(rng: np.random.Generator, maps: Any, most: int) -> tuple[NumPyArray, ...]:
    """What `route` is given, quotas in front: experts that are there or not, after any tokens or none."""
    _, log2phy, logcnt, _ = maps
    layers, experts = logcnt.shape
    tokens = rng.integers(-2, experts + 2, (layers, rng.integers(1, 20), rng.integers(1, 4)))
    first = rng.integers(-3, most, logcnt.shape) if rng.random() < 0.5 else logcnt[:, :0]
    quota = np.sort(rng.integers(-3, 12, log2phy.shape) + first.max(axis=1, initial=0)[:, None, None], axis=-1)
    return quota, log2phy, logcnt, first, tokens


def parts(rng: np.random.Generator, tokens: NumPyArray, number: int) -> NumPyArray:
    """These tokens in so many parts: [number, ...]."""
    share = rng.random((number, *tokens.shape)) * (rng.random((number, *tokens.shape)) < 0.7) + 1e-9
    until = np.floor(np.cumsum(share / share.sum(axis=0), axis=0) * tokens + 1e-6).astype(np.int64)
    until[-1] = tokens
    return np.diff(until, axis=0, prepend=0)


@st.composite
def batches(draw: st.DrawFn, shapes: list[Shape], layers: int = 3, most: int = 100) -> Batch:
    """Shares that `share_tokens` finds, or any, of doubled replicas too."""
    experts, replicas, gpus = draw(st.sampled_from(shapes))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    plan = plan_of(drawn_plans(seed, layers, (experts, replicas, gpus)), experts, rng)
    tokens = rng.integers(0, most, (layers, experts)) * (rng.random((layers, experts)) < 0.8)
    shares = share_tokens(plan, tokens, gpus)
    if draw(st.booleans()):
        for layer, expert in np.ndindex(layers, experts):
            slots = plan.log2phy[layer, expert, : plan.logcnt[layer, expert]]
            shares.share[layer, slots] = parts(rng, tokens[layer, expert], len(slots))
    return Batch(shares, plan, parts(rng, tokens, gpus).transpose(1, 0, 2))


def rows(x: Any) -> list[Any]:
    """What each layer has, as lists."""
    return [list(map(np.ndarray.tolist, its)) for its in zip(*x, strict=True)]
