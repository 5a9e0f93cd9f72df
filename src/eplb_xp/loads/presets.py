"""The named presets, after models that are served today.

The claims, and the table in the documentation, are what ``python -m eplb_xp.loads`` measures.
"""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from eplb_xp.loads.models import GPT_OSS_DECODE, QWEN3_DECODE, V3_DECODE, V3_PREFILL
from eplb_xp.loads.preset import Preset
from eplb_xp.loads.statistics import Statistics
from eplb_xp.loads.traffic_presets import OF_TRAFFIC

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "deepseek-v3-decode": V3_DECODE,
        "deepseek-v3-prefill": V3_PREFILL,
        "deepseek-v3-decode-no-trend": replace(
            V3_DECODE,
            model="DeepSeek-V3, decode, groups alike",
            group_offsets=(),
            claims=Statistics(5.6, 0.78, 0.997),
        ),
        "deepseek-v3-prefill-no-trend": replace(
            V3_PREFILL,
            model="DeepSeek-V3, prefill, groups alike",
            group_offsets=(),
            claims=Statistics(5.5, 0.77, 0.772),
        ),
        "deepseek-r1-one-domain": replace(
            V3_DECODE,
            model="DeepSeek-R1, decode, one domain",
            sigma=1.0,
            group_offsets=(),
            claims=Statistics(10.0, 1.22, 0.999),
        ),
        "qwen3-235b-decode": QWEN3_DECODE,
        "qwen3-235b-prefill": replace(
            QWEN3_DECODE,
            model="Qwen3-235B-A22B, prefill",
            tokens=32_768,
            drift=0.35,
            drift_correlation=0.1,
            claims=Statistics(5.3, 1.01, 0.820),
        ),
        "gpt-oss-20b": GPT_OSS_DECODE,
        # No recording is at hand: Kimi K2's sizes and its one group, with the spread of DeepSeek-V3.
        "kimi-k2": replace(
            V3_DECODE,
            model="Kimi K2, decode",
            layers=60,
            experts=384,
            groups=1,
            group_offsets=(),
            claims=Statistics(5.8, 0.78, 0.995),
        ),
        # DeepSeek-R1 under random token ids, the stress case: in deep layers some experts get nearly every token.
        "random-tokens": replace(
            V3_DECODE,
            model="DeepSeek-R1, random tokens",
            sigma=1.6,
            first_layer=0.42,
            ramp_layers=14,
            group_offsets=(),
            claims=Statistics(22.0, 2.27, 0.999),
        ),
        # A router that was trained to be even, and held to it.
        "well-balanced": replace(
            V3_DECODE,
            model="well-balanced router",
            sigma=0.12,
            first_layer=1.0,
            group_offsets=(),
            drift=0.03,
            claims=Statistics(1.4, 0.124, 0.888),
        ),
        **OF_TRAFFIC,
    }
)


def as_preset(preset: Any) -> Preset:
    """The preset itself, or the one of that name."""
    if isinstance(preset, Preset):
        return preset
    names = ", ".join(PRESETS)
    if not isinstance(preset, str):
        raise TypeError(f"preset must be a name or a Preset, got {preset!r} of type {type(preset).__name__}")
    if preset not in PRESETS:
        near = difflib.get_close_matches(preset, PRESETS, n=1, cutoff=0)[0]
        raise ValueError(f"preset {preset!r} is not known; the nearest is {near!r}, all are {names}")
    return PRESETS[preset]
