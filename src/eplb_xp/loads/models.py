"""What several presets are variants of."""

from dataclasses import replace

from eplb_xp.loads.preset import Preset
from eplb_xp.loads.statistics import Statistics

# Serving dumps of DeepSeek-V3: lognormal, sigma 0.56 to 0.82 over all traffic and about 1.0 for one domain; the eight
# groups are unequal, and the first layers are flatter, as in DeepSeek-V2-Lite. In decode a step is much like the next;
# in prefill each micro-batch brings other prompts.
V3_DECODE = Preset(
    "DeepSeek-V3, decode",
    layers=58,
    experts=256,
    top_k=8,
    tokens=16_384,
    sigma=0.7,
    first_layer=0.75,
    ramp_layers=4,
    groups=8,
    group_offsets=(0.69, 0.24, 0.0, -0.11, -0.22, -0.32, -0.40, -0.45),
    drift=0.1,
    drift_correlation=0.998,
    claims=Statistics(6.0, 0.82, 0.997),
)
V3_PREFILL = replace(
    V3_DECODE,
    model="DeepSeek-V3, prefill",
    tokens=65_536,
    drift=0.35,
    drift_correlation=0.1,
    claims=Statistics(6.0, 0.82, 0.783),
)

# Qwen3-235B-A22B: gamma, some experts nearly dead; coefficient of variation 0.6 in layer 0, 1.0 to 1.2 in the middle.
QWEN3_DECODE = Preset(
    "Qwen3-235B-A22B, decode",
    layers=94,
    experts=128,
    top_k=8,
    tokens=8_192,
    shape=1.1,
    first_layer=0.55,
    ramp_layers=8,
    nearly_dead=0.08,
    drift=0.1,
    drift_correlation=0.998,
    claims=Statistics(5.3, 1.02, 0.998),
)

# Decode routes of gpt-oss-20b, replayed in batches of 64 with one domain after another. A token repeats its experts
# from step to step, so the counts are as steady as 96 independent tokens are.
GPT_OSS_DECODE = Preset(
    "gpt-oss-20b, decode",
    layers=24,
    experts=32,
    top_k=4,
    tokens=96,
    shape=2.8,
    first_layer=0.65,
    ramp_layers=3,
    nearly_dead=0.06,
    drift=0.1,
    drift_correlation=0.998,
    domains=4,
    domain_steps=250,
    domain_sd=0.4,
    claims=Statistics(2.75, 0.66, 0.885),
)
