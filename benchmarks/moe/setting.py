"""A layer, set up: a case's placement and weights on this rank, and batches for it."""

from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.moe import batches
from benchmarks.moe.experts import Weights, weights_of, without_replicas
from benchmarks.moe.layer import Batch
from benchmarks.moe.outputs import CHECKED, refuse_wrong
from benchmarks.moe.place import Place
from benchmarks.moe.placements import Case, place
from benchmarks.moe.slots import Slots
from benchmarks.moe.systems import System, preset_of
from eplb_xp import Plan
from eplb_xp.simulation.arrays import Numbers
from eplb_xp.simulation.presets import cost_of


@dataclass
class Setting:
    """One layer of a system in one case, on one rank."""

    where: Place
    system: System
    layer: int
    case: Case
    plan: Plan[Numbers]
    slots: Slots
    held: Weights


def set_up(where: Place, system: System, layer: int, case: Case) -> Setting:
    """Plan, and make the weights of this rank's slots."""
    plan = place(case, system, batches.traffic(system, layer, where.seed).past, where.gpus)
    slots = Slots(plan, case.by, where.device, worth(where, system))
    return Setting(where, system, layer, case, plan, slots, held_by(where, system, plan))


def worth(where: Place, system: System) -> int:
    """How many tokens take as long as an expert's weights take to be read."""
    gpu = torch.cuda.get_device_name() if where.device.type == "cuda" else ""
    cost = cost_of(preset_of(gpu), system.model)
    return round(cost.seconds_per_active_slot / cost.seconds_per_token)


def held_by(where: Place, system: System, plan: Plan[Numbers]) -> Weights:
    """The weights of this rank's slots."""
    own = plan.phy2log[0].reshape(where.gpus, -1)[where.rank]
    return weights_of(system.model, own.tolist(), where.device, where.dtype)


def batch(where: Place, system: System, layer: int, tokens: int, number: int) -> Batch:
    """A batch of a later step, this rank's part of it."""
    chosen = batches.chosen(system, layer, tokens=tokens, number=number, rank=where.rank, seed=where.seed)
    own = torch.Generator(where.device).manual_seed(where.seed + where.rank)
    x = torch.randn(tokens, system.model.hidden, generator=own, device=where.device, dtype=where.dtype)
    gate = torch.rand(chosen.shape, generator=own, device=where.device)
    return Batch(x, torch.tensor(chosen, device=where.device), gate / gate.sum(dim=-1, keepdim=True))


def tokens_of_slots(made: Setting, slot: torch.Tensor) -> Numbers:
    """The tokens that all ranks send to each slot [slots]."""
    own = np.bincount(slot.ravel().cpu().numpy(), minlength=made.plan.phy2log.shape[1])
    total: Numbers = np.sum(made.where.everyones(own), axis=0)
    return total


def check(made: Setting, given: Batch, output: torch.Tensor) -> float:
    """Compare a part of the output with a layer without replicas: the difference, relative to the largest number."""
    part = slice(0, CHECKED)
    expected = without_replicas(made.system.model, given.x[part], given.chosen[part], given.gate[part])
    error = float((output[part].float() - expected).abs().max() / expected.abs().max())
    worst = max(made.where.everyones(error))
    refuse_wrong(f"{made.system.name}, {made.case.name}", worst, str(made.where.dtype).removeprefix("torch."))
    return worst
