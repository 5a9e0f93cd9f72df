"""A new plan in the middle: weights travel to their slots beside the computation."""

from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from typing import cast

import numpy as np
import torch
import torch.distributed as dist

from benchmarks.moe import batches, clock
from benchmarks.moe.experts import Weights
from benchmarks.moe.layer import exchanged
from benchmarks.moe.place import Place
from benchmarks.moe.placements import CASES
from benchmarks.moe.rows import Row
from benchmarks.moe.setting import Setting, batch, check, set_up, worth
from benchmarks.moe.slots import Slots
from benchmarks.moe.systems import System
from eplb_xp import Plan, moves, rebalance_experts
from eplb_xp.simulation.arrays import Numbers
from examples.torch_moves import LayerTransfer

PART = 10  # one of so many slots may change
LONGER = 1.2  # steps run for so many times as long as the weights travel


def measured(where: Place, system: System, announce: Callable[[str], None]) -> Iterator[Row]:
    """A row for each layer: what travels, how long it takes alone, and by how much steps beside it are longer."""
    # A communicator of its own, or tokens would wait for weights.
    group = cast("dist.ProcessGroup", dist.new_group())
    dist.all_reduce(torch.zeros(1, device=where.device), group=group)
    stream = torch.cuda.Stream() if where.device.type == "cuda" else None
    joint = next(case for case in CASES if case.policy == "joint")
    for layer in system.layers:
        announce(f"{system.name}, layer {layer}: a new plan")
        made = set_up(where, system, layer, joint)
        plan, source = _new_plan(where, made)
        start = partial(LayerTransfer, source=source.tolist(), stream=stream, group=group)
        # To be timed again and again, what comes and goes are other weights.
        others = Weights(*(x.clone() for x in made.held))
        given = batch(where, system, layer, system.tokens[0], 0)
        step = partial(exchanged, given, made.slots, made.held)
        one = _slowest(where, step)
        alone = _slowest(where, partial(_beside, start, others, step, 0))
        number = max(ceil(LONGER * alone / one), 1)
        both = _slowest(where, partial(_beside, start, others, step, number))
        steps = _slowest(where, partial(_repeat, step, number))

        transfer = start(made.held)
        check(made, given, step())  # the old plan's, while weights are on their way
        transfer.finish()
        slots = Slots(plan, joint.by, where.device, worth(where, system))
        check(made, given, exchanged(given, slots, made.held))
        yield {
            "system": system.name,
            "layer": layer,
            "bytes": system.model.expert_bytes * where.dtype.itemsize // 2,
            **_travelling(source, where.gpus),
            "alone_s": alone,
            "steps": number,
            "steps_s": steps,
            "both_s": both,
        }


def _new_plan(where: Place, made: Setting) -> tuple[Plan[Numbers], Numbers]:
    """A plan for the steps that follow, and where its slots' weights come from [slots]."""
    later = batches.traffic(made.system, made.layer, where.seed).later.sum(axis=0)[None].astype(np.float32)
    sizes = made.system.replicas, 1, 1, where.gpus
    used = made.plan.phy2log
    plan = rebalance_experts(later, *sizes, policy="joint", previous=used, max_moves=made.system.replicas // PART)
    return plan, moves(used, plan.phy2log, where.gpus).source[0]


def _travelling(source: Numbers, gpus: int) -> dict[str, int]:
    """Slots that get weights from another GPU: all, and of the GPU that sends or receives most."""
    each = len(source) // gpus
    to, by = np.arange(len(source)) // each, source // each
    moved = (source >= 0) & (to != by)
    most = max(np.bincount(to[moved], minlength=gpus).max(), np.bincount(by[moved], minlength=gpus).max())
    return {"moved": int(moved.sum()), "of_a_gpu": int(most)}


def _beside(start: Callable[[Weights], LayerTransfer], held: Weights, step: Callable[[], object], number: int) -> None:
    transfer = start(held)
    _repeat(step, number)
    transfer.finish()


def _repeat(step: Callable[[], object], number: int) -> None:
    for _ in range(number):
        step()


def _slowest(where: Place, work: Callable[[], object]) -> float:
    """Seconds on the rank that takes longest."""
    return max(where.everyones(clock.phases(where.device, lambda _: work())["layer"]))
