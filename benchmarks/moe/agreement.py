"""Whether ranks that plan alone, by PyTorch and by JAX, have the same plans and shares, bit for bit."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import torch

from benchmarks.moe.place import Place
from benchmarks.moe.rows import Row
from eplb_xp import rebalance_experts, share_tokens
from eplb_xp.simulation.arrays import Numbers

AT_ONCE = 50  # loads between one comparison and the next


class Sizes(NamedTuple):
    """Of the layers that are planned."""

    layers: int
    experts: int
    replicas: int
    gpus: int


def measured(where: Place, sizes: Sizes, loads: int, announce: Callable[[str], None]) -> Iterator[Row]:
    """One row: how many loads there were, and how many plans or shares were not the same everywhere."""
    jitted = jax.jit(lambda weight, tokens: _made(sizes, weight, tokens))
    rng = np.random.default_rng(where.seed)
    differing, digest = 0, hashlib.sha256()
    for first in range(0, loads, AT_ONCE):
        number = min(AT_ONCE, loads - first)
        announce(f"{first} of {loads} loads, planned by every rank")
        own = []
        for _ in range(number):
            weight, tokens = _loads(sizes, rng)
            of_torch = _made(sizes, *(torch.tensor(x, device=where.device) for x in (weight, tokens)))
            of_jax = jitted(weight, tokens)
            own.append([[np.asarray(x).astype(np.int64) for x in found] for found in (_on_host(of_torch), of_jax)])
        mine = [hashlib.sha256(b"".join(x.tobytes() for x in found)).hexdigest() for load in own for found in load]
        everyones = where.everyones(mine)
        for load in range(number):
            found = {each for rank in everyones for each in rank[2 * load : 2 * load + 2]}
            differing += len(found) > 1
        digest.update("".join(mine[::2]).encode())
    yield {
        "loads": loads,
        **sizes._asdict(),
        "ranks": where.gpus,
        "libraries": ["torch", "jax"],
        "differing": differing,
        "digest": digest.hexdigest(),
    }


def _loads(sizes: Sizes, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Loads to plan from, and the tokens of a batch: of any spread, some experts idle, some equal."""
    shape = sizes.layers, sizes.experts
    weight = rng.lognormal(0, rng.uniform(0, 2), shape) * (rng.random(shape) < rng.uniform(0.7, 1.1))
    weight = np.where(rng.random(shape) < 0.1, weight[:, :1], weight)
    tokens = np.floor(weight * rng.lognormal(0, 0.5, shape) * 1000).clip(0, 1e6)
    return weight.astype(np.float32), tokens.astype(np.int32)


def _made(sizes: Sizes, weight: Any, tokens: Any) -> tuple[Any, ...]:
    """All that a rank makes: plans of three policies, and shares of a batch."""
    found: list[Any] = []
    for policy in ("greedy", "joint", "ring"):
        plan = rebalance_experts(weight, sizes.replicas, 1, 1, sizes.gpus, policy=policy)
        found += plan
    shares = share_tokens(plan, tokens, sizes.gpus)
    return (*found, shares.share, shares.gpu_load, shares.proof)


def _on_host(found: tuple[torch.Tensor, ...]) -> list[Numbers]:
    return [x.cpu().numpy() for x in found]
