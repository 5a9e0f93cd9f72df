"""Tokens' choices of experts, drawn from the steps that follow those planned for."""

from functools import cache
from typing import NamedTuple

import numpy as np

from benchmarks.moe.systems import PLANNED, System
from benchmarks.shared.choices import choices
from eplb_xp.loads import PRESETS, generate
from eplb_xp.simulation.arrays import Numbers


class Traffic(NamedTuple):
    """The loads of one layer, as many experts as the system has."""

    past: Numbers  # [steps, experts] that is planned for
    later: Numbers  # [batches, experts] that batches are drawn from


@cache
def traffic(system: System, layer: int, seed: int) -> Traffic:
    """Steps of a layer; of a preset with more experts every so many of them."""
    steps = generate(system.preset, steps=PLANNED + system.batches, seed=seed)
    load = steps[:, layer, :: PRESETS[system.preset].experts // system.experts][:, : system.experts]
    return Traffic(load[:PLANNED], load[PLANNED:])


@cache
def chosen(system: System, layer: int, *, tokens: int, number: int, rank: int, seed: int) -> Numbers:
    """Different experts for each token of a rank's part of a batch: [tokens, choices] int32, as routers have them."""
    rng = np.random.default_rng((seed, layer, tokens, number, rank))
    load = traffic(system, layer, seed).later[number] + 1e-3  # who has none may be drawn, too
    return choices(rng, load, tokens, system.choices)
