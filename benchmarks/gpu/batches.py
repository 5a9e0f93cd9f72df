"""What is done with each batch on the GPU: shares of a plan for it, quotas of a rank, and the slots of its tokens."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from benchmarks.gpu.loads import SEED, NumPyArray, fresh
from benchmarks.shared.choices import choices
from eplb_xp import Plan, Shares, prepare_shares, quotas, rebalance_experts, route, share_tokens
from eplb_xp.loads import generate

PRESET = "deepseek-v3-prefill"
PLANNED, JUDGED = 40, 10  # steps
NODES = 4

# An array on its way to where it is used.
Place = Callable[[NumPyArray], Any]


class Sharing(NamedTuple):
    """Sizes of a plan on rings, of which a batch is shared out."""

    replicas: int
    gpus: int
    layers: int = 58
    experts: int = 256

    def __str__(self) -> str:
        return f"shares, {self.layers} x {self.experts}, {self.replicas} / {self.gpus}"


class Quotas(NamedTuple):
    """Sizes of such a plan, of whose shares a rank has quotas."""

    layers: int
    replicas: int = 288
    gpus: int = 32
    experts: int = 256

    def __str__(self) -> str:
        return f"quotas of a rank, {self.layers} x {self.experts}, {self.replicas} / {self.gpus}"


class Routing(NamedTuple):
    """Tokens of a layer on such a plan, and how they find their replicas."""

    by: str  # "quota" or "turn"
    tokens: int = 4096
    choices: int = 8
    replicas: int = 288
    gpus: int = 32
    experts: int = 256

    def __str__(self) -> str:
        how = "by quota" if self.by == "quota" else "in turn"
        return f"route {how}, {self.tokens} x {self.choices}, {self.replicas} / {self.gpus}"


class Divided(NamedTuple):
    """How many tokens of a rank go to each replica, and to those before it."""

    quota: Any  # [layers, experts, width]


class Slots(NamedTuple):
    """Where tokens go."""

    slot: Any  # [tokens, choices]


TURN = Sharing(288, 32), Sharing(320, 64), Sharing(384, 128)
TURNS = Sharing(320, 32), Sharing(384, 64)
ONE_LAYER = Sharing(288, 32, layers=1)
SHARES = (*TURN, *TURNS, ONE_LAYER)
QUOTAS = Quotas(1), Quotas(58)
ROUTES = Routing("quota"), Routing("turn")

Batched = Sharing | Quotas | Routing


@cache
def _steps() -> NumPyArray:
    return generate(PRESET, steps=PLANNED + JUDGED)


@cache
def plan_of(layers: int, replicas: int, gpus: int) -> Plan[NumPyArray]:
    """By policy ring, of the steps before."""
    past = _steps()[:PLANNED, :layers].sum(axis=0).astype(np.float32)
    return rebalance_experts(past, replicas, 1, 1, gpus, policy="ring")


def call_of(case: Batched, place: Place) -> Callable[[Any], Any]:
    """What is called with the tokens of a batch; all else is placed before."""
    if isinstance(case, Quotas):
        return _divided(case, place)
    return _shared(case, place) if isinstance(case, Sharing) else _routed(case, place)


def _shared(case: Sharing, place: Place) -> Callable[[Any], Any]:
    plan = Plan(*map(place, plan_of(case.layers, case.replicas, case.gpus)))
    prepared = prepare_shares(plan, case.gpus)
    return lambda tokens: share_tokens(plan, tokens, case.gpus, prepared=prepared)


def _divided(case: Quotas, place: Place) -> Callable[[Any], Any]:
    plan = plan_of(case.layers, case.replicas, case.gpus)
    found = share_tokens(plan, _tokens(case), case.gpus)
    shares, maps, rank = Shares(*map(place, found)), Plan(*map(place, plan)), place(np.array(0))
    return lambda counts: Divided(quotas(shares, maps, counts, num_nodes=NODES, rank=rank))


def _tokens(case: Quotas) -> NumPyArray:
    """Of all ranks together, as many as are routed, by the loads of the next step: [layers, experts]."""
    load = _steps()[PLANNED, : case.layers]
    number = case.gpus * ROUTES[0].tokens * ROUTES[0].choices
    return np.random.default_rng(SEED).multinomial(number, load / load.sum(axis=1, keepdims=True))


def _counts(case: Quotas, seed: int) -> NumPyArray:
    """These tokens, those of an expert from some ranks more than from others: [layers, ranks, experts]."""
    rng = np.random.default_rng(seed)
    likely = rng.dirichlet(np.ones(case.gpus), (case.layers, case.experts))
    return np.ascontiguousarray(np.moveaxis(rng.multinomial(_tokens(case), likely), -1, 1))


def _routed(case: Routing, place: Place) -> Callable[[Any], Any]:
    plan = plan_of(1, case.replicas, case.gpus)
    maps = [place(x[0]) for x in plan[1:]]
    until = place(_quota(case, plan)) if case.by == "quota" else None
    return lambda experts: Slots(route(experts, maps, until))


def _quota(case: Routing, plan: Plan[NumPyArray]) -> NumPyArray:
    """Of a rank that has as many tokens as the others, of the layer's next step."""
    load = _steps()[PLANNED, :1]
    number = case.tokens * case.choices
    counts = np.random.default_rng(SEED).multinomial(number, load / load.sum(), size=(1, case.gpus))
    quota: NumPyArray = quotas(share_tokens(plan, counts.sum(axis=1), case.gpus), plan, counts, num_nodes=NODES, rank=0)
    return quota[0]


def timed(case: Batched) -> NumPyArray:
    """Of each later step the tokens [steps, layers, experts], or the experts of a rank's [steps, tokens, choices].

    For quotas tokens that are the same in all, and come from others each time: [steps, layers, ranks, experts].
    """
    if isinstance(case, Sharing):
        return _steps()[PLANNED:, : case.layers]
    if isinstance(case, Quotas):
        return np.stack([_counts(case, SEED + step) for step in range(JUDGED)])
    rng = np.random.default_rng(SEED)
    return np.stack([choices(rng, load[0], case.tokens, case.choices) for load in _steps()[PLANNED:]])


def checked(case: Batched, seed: int) -> list[tuple[NumPyArray, list[str]]]:
    """Batches, and what each layer or token is of: those that are timed, and fresh ones."""
    if isinstance(case, Quotas):
        fresh_ones = [_counts(case, seed + step) for step in range(JUDGED)]
        return [(counts, ["later"] * case.layers) for counts in (*timed(case), *fresh_ones)]
    if isinstance(case, Sharing):
        later = [(step, ["later"] * case.layers) for step in timed(case)]
        return later + [(load.astype(np.int64), names) for load, names in fresh(case.layers, case.experts, seed)]
    rng = np.random.default_rng(seed)
    made = []
    for load, (family, *_) in fresh(1, case.experts, seed):
        experts = choices(rng, load[0] + 1e-3, case.tokens, case.choices)
        made.append((np.where(rng.random(experts.shape) < 0.02, -1, experts), [family] * case.tokens))
    return made
