"""Loads of a preset, step by step."""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from eplb_xp.loads.preset import Preset
from eplb_xp.loads.presets import as_preset
from eplb_xp.loads.traffic.step import Domains, Step
from eplb_xp.sizes import check_integer

Numbers: TypeAlias = np.ndarray[Any, Any]

NEARLY_DEAD = math.log(0.02)
LEAST = -500.0  # of a logarithm, so that no popularity is zero


def generate(preset: str | Preset, *, steps: int = 1, seed: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Generate loads that are like those of a real model.

    In a step every layer has the same sum, tokens x top_k, and no expert has more than the step's tokens. These are the
    preset's in every step, unless its traffic is a day.

    Parameters
    ----------
    preset : str or Preset
        A name in `PRESETS`, or a preset of your own.
    steps : int
        How many steps, at least 1. More steps go on where fewer end.
    seed : int
        At least 0. The same seed gives the same loads: NumPy keeps what its generators draw from version to version, so
        far; it promises that for one version alone.

    Returns
    -------
    [steps, layers, experts] int64
        Tokens for each logical expert.

    Raises
    ------
    TypeError, ValueError
        Where there is no such preset, or ``steps`` or ``seed`` can't be used.

    Examples
    --------
    >>> load = generate("gpt-oss-20b", steps=3)
    >>> load.shape
    (3, 24, 32)
    >>> bool((load.sum(axis=-1) == 96 * 4).all())
    True
    """
    chosen = as_preset(preset)
    steps = check_integer("steps", steps)
    random = np.random.default_rng(check_integer("seed", seed, at_least=0))
    popularity = _popularity(chosen, random)
    drift = random.normal(0, chosen.drift, popularity.shape[1:])
    renewal = chosen.drift * math.sqrt(1 - chosen.drift_correlation**2)  # keeps the drift's spread as it is
    load = np.empty((steps, chosen.layers, chosen.experts), np.int64)
    for step, (log, tokens, kept) in zip(range(steps), _traffic(chosen, popularity, random), strict=False):
        load[step] = _counts(_shares(log + drift), tokens, chosen.top_k, kept, random)
        drift = chosen.drift_correlation * drift + random.normal(0, renewal, drift.shape)
    return load


def _traffic(preset: Preset, popularity: Numbers, random: np.random.Generator) -> Iterator[Step]:
    """What each step is drawn from, without end: domains in turn, or as the preset's traffic has them."""
    if preset.traffic is not None:
        domains = Domains(_shares(popularity), preset.domain_steps, preset.tokens, preset.top_k)
        yield from preset.traffic.each(domains, random)
    while True:
        for log in popularity:
            yield from (Step(log, preset.tokens),) * preset.domain_steps


def _popularity(preset: Preset, random: np.random.Generator) -> Numbers:
    """The logarithm of each expert's popularity: [domains, layers, experts]."""
    size = preset.layers, preset.experts
    depth = np.minimum(np.arange(preset.layers) / preset.ramp_layers, 1)[:, None]
    spread = preset.first_layer + (1 - preset.first_layer) * depth
    if preset.shape is not None:
        gamma = random.gamma(preset.shape / spread**2, size=size)  # its relative spread is 1 / sqrt(shape)
        log = np.log(np.maximum(gamma, math.exp(LEAST)))
    else:
        offset = np.repeat(preset.group_offsets or (0.0,) * preset.groups, preset.experts // preset.groups)
        within = math.sqrt(max((preset.sigma or 0) ** 2 - offset.var(), 0))
        log = spread * (offset + random.normal(0, within, size))
    log += NEARLY_DEAD * (random.random(size) < preset.nearly_dead)
    return log + spread * random.normal(0, preset.domain_sd, (preset.domains, *size))


def _shares(log: Numbers) -> Numbers:
    """Shares of a layer's load, proportional to popularity."""
    popularity = np.exp(np.maximum(log - log.max(axis=-1, keepdims=True), LEAST))
    return popularity / popularity.sum(axis=-1, keepdims=True)


def _counts(share: Numbers, tokens: int, top_k: int, kept: Numbers | int, random: np.random.Generator) -> Numbers:
    """Multinomial counts of a step beside those kept; what an expert gets beyond ``tokens`` is drawn for others."""
    load = kept + random.multinomial(tokens * top_k - np.sum(kept, axis=-1), share)
    while (layers := (load > tokens).any(axis=-1)).any():
        cut = np.minimum(load[layers], tokens)
        others = np.where(cut < tokens, share[layers], 0)
        others /= others.sum(axis=-1, keepdims=True)
        load[layers] = cut + random.multinomial((load[layers] - cut).sum(axis=-1), others)
    return load
