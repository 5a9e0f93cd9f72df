"""The loads that plans are judged on: drawn from a distribution, generated after models, and recorded.

The recordings lie beside the repository, in ../shared/loads, and are not part of it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from eplb_xp.loads import PRESETS, generate, read
from tests.support.libraries import NumPyArray
from tests.support.loads import FAMILIES, zipf
from tests.support.paths import SHARED

RECORDINGS = SHARED / "loads"
LAYERS, EXPERTS = 58, 256  # of those drawn from a distribution
STEPS = 16  # of those generated after models, summed


class Load(NamedTuple):
    """Loads by name."""

    name: str
    experts: int
    make: Callable[[int], NumPyArray]  # from a seed; [layers, experts]
    file: Path | None = None  # where they were recorded

    @property
    def is_there(self) -> bool:
        """Whether they can be made."""
        return self.file is None or self.file.exists()


def lognormal(sigma: float) -> Callable[[Generator, int], NumPyArray]:
    """Loads whose logarithm has standard deviation sigma."""
    return lambda rng, experts: rng.lognormal(0, sigma, experts)


def drawn(layer: Callable[[Generator, int], NumPyArray], seed: int) -> NumPyArray:
    """One layer after the other."""
    rng = np.random.default_rng(seed)
    return np.stack([layer(rng, EXPERTS) for _ in range(LAYERS)])


def generated(preset: str, seed: int) -> NumPyArray:
    """Some steps of a preset, summed."""
    return generate(preset, steps=STEPS, seed=seed).sum(axis=0)


def recorded(file: Path, steps: slice, window: int, _: int) -> NumPyArray:
    """The steps summed in windows; the layers of one window after those of the other."""
    load = read(file, steps=steps)
    return load.reshape(-1, window, *load.shape[1:]).sum(axis=1).reshape(-1, load.shape[-1])


def recording(name: str, experts: int, file: str, steps: slice = slice(None), window: int = 1) -> Load:
    """Loads from a file beside the repository."""
    path = RECORDINGS / f"{file}.npz"
    return Load(f"recorded {name}", experts, partial(recorded, path, steps, window), path)


DISTRIBUTIONS: Mapping[str, Callable[[Generator, int], NumPyArray]] = {
    "uniform": FAMILIES["uniform"],
    "lognormal 0.6": lognormal(0.6),
    "lognormal 1.0": lognormal(1.0),
    "Zipf 1.2": zipf(1.2),
    "Zipf 1.5": zipf(1.5),
}

LOADS: tuple[Load, ...] = (
    *(Load(name, EXPERTS, partial(drawn, layer)) for name, layer in DISTRIBUTIONS.items()),
    *(
        Load(name, preset.experts, partial(generated, name))
        for name, preset in PRESETS.items()
        if preset.traffic is None
    ),
    recording("DeepSeek-R1", 256, "dsr1_nvfp4_srtslurm_8k1k"),
    recording("gpt-oss-20b", 32, "gptoss20b_decode_bydomain_b64", slice(1000, 1200), 200),
    recording("DeepSeek-V2-Lite", 64, "dsv2lite_esft_prefill_chunk512", window=16),  # as long as a domain lasts
    recording("OLMoE", 64, "olmoe_domains"),
)
