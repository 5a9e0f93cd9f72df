"""Loads of a preset, step by step."""

import math
from typing import Any, TypeAlias

import numpy as np

from eplb_xp.loads.preset import Preset
from eplb_xp.loads.presets import as_preset
from eplb_xp.sizes import check_integer

Numbers: TypeAlias = np.ndarray[Any, Any]

NEARLY_DEAD = math.log(0.02)
LEAST = -500.0  # of a logarithm, so that no popularity is zero


def generate(preset: str | Preset, *, steps: int = 1, seed: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Generate loads that are like those of a real model.

    Every layer has the same sum in every step, tokens x top_k, and no expert has more than the step's tokens.

    Parameters
    ----------
    preset : str or Preset
        A name in `PRESETS`, or a preset of your own.
    steps : int
        How many steps, at least 1. More steps go on where fewer end.
    seed : int
        At least 0. With one version of NumPy the same seed gives the same loads.

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
    for step in range(steps):
        domain = step // chosen.domain_steps % chosen.domains
        load[step] = _counts(_shares(popularity[domain] + drift), chosen.tokens, chosen.top_k, random)
        drift = chosen.drift_correlation * drift + random.normal(0, renewal, drift.shape)
    return load


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


def _counts(share: Numbers, tokens: int, top_k: int, random: np.random.Generator) -> Numbers:
    """Multinomial counts of a step; what an expert gets beyond ``tokens`` is drawn anew for the others."""
    load = random.multinomial(tokens * top_k, share)
    while (layers := (load > tokens).any(axis=-1)).any():
        cut = np.minimum(load[layers], tokens)
        others = np.where(cut < tokens, share[layers], 0)
        others /= others.sum(axis=-1, keepdims=True)
        load[layers] = cut + random.multinomial((load[layers] - cut).sum(axis=-1), others)
    return load
