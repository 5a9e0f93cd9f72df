"""Loads over time, which steps are planned for and judged, and the sizes.

Recordings lie beside the repository, in ../shared/loads, and are not part of it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.quality.loads import RECORDINGS
from benchmarks.quality.sizes import Size
from eplb_xp.loads import generate
from tests.support.libraries import NumPyArray

PLANNED, JUDGED = 40, 16  # steps, of what is generated


class Case(NamedTuple):
    """Loads, the sizes to plan for, and what the balance under the best shares should be at least."""

    name: str
    steps: Callable[[int], list[tuple[NumPyArray, NumPyArray]]]  # from a seed: pairs of planned and judged steps
    wanted: dict[Size, float]  # with policy ring
    file: Path | None = None

    @property
    def is_there(self) -> bool:
        """Whether the loads can be made."""
        return self.file is None or self.file.exists()


def generated(preset: str, seed: int) -> list[tuple[NumPyArray, NumPyArray]]:
    """Steps of a preset, and those that follow."""
    load = generate(preset, steps=PLANNED + JUDGED, seed=seed)
    return [(load[:PLANNED], load[PLANNED:])]


def recorded(file: Path, planned: int, judged: int, every: int, _: int) -> list[tuple[NumPyArray, NumPyArray]]:
    """Windows of a recording, and the steps that follow each."""
    with np.load(file) as data:
        load = data["load"]
    starts = range(0, len(load) - planned - judged + 1, every)
    return [(load[at : at + planned], load[at + planned : at + planned + judged]) for at in starts]


GPT_OSS = RECORDINGS / "gptoss20b_decode_bydomain_b64.npz"
V2_LITE = RECORDINGS / "dsv2lite_esft_prefill_chunk512.npz"

CASES = (
    Case(
        "DeepSeek-V3, prefill",
        partial(generated, "deepseek-v3-prefill"),
        {
            Size(288, 32): 0.89,
            Size(320, 64): 0.84,
            Size(384, 128): 0.755,
            Size(320, 32): 0.995,
            Size(384, 64): 0.99,
            Size(512, 128): 0.99,
        },
    ),
    Case(
        "DeepSeek-V3, decode",
        partial(generated, "deepseek-v3-decode"),
        {Size(288, 32): 0.998, Size(320, 64): 0.998, Size(384, 128): 0.995},
    ),
    Case("Qwen3-235B, prefill", partial(generated, "qwen3-235b-prefill"), {Size(160, 16): 0.995, Size(256, 64): 0.995}),
    Case(
        "recorded gpt-oss-20b, decode",
        partial(recorded, GPT_OSS, 40, 20, 300),
        {Size(40, 8): 0.985, Size(48, 16): 0.955},
        GPT_OSS,
    ),
    # Of each of four domains 16 steps were recorded: as many to plan for, beside those judged, as elsewhere.
    Case("recorded DeepSeek-V2-Lite, prefill", partial(recorded, V2_LITE, 12, 4, 16), {Size(96, 32): 0.97}, V2_LITE),
)
