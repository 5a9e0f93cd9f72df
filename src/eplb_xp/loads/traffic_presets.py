"""The named presets whose domains come and go."""

from collections.abc import Mapping
from dataclasses import replace

from eplb_xp.loads.models import GPT_OSS_DECODE, V3_DECODE, V3_PREFILL
from eplb_xp.loads.preset import Preset
from eplb_xp.loads.statistics import Statistics
from eplb_xp.loads.traffic import Day, Requests, Visits

OF_TRAFFIC: Mapping[str, Preset] = {
    # Prefill of DeepSeek-V2-Lite in chunks of 512 tokens, 16 of each of four domains: steps of a domain correlate by
    # 0.88 to 0.97, domains by 0.03 to 0.22, all steps with the next by 0.92; a step's coefficient of variation is 0.88,
    # that of all steps together 0.50. Three changes in 63 steps: a domain stays for 20 in the mean.
    "deepseek-v2-lite-prefill": Preset(
        "DeepSeek-V2-Lite, prefill, domains come and go",
        layers=26,
        experts=64,
        top_k=6,
        tokens=512,
        sigma=0.33,
        first_layer=0.75,
        ramp_layers=7,
        drift=0.11,
        drift_correlation=0.3,
        domains=4,
        domain_sd=0.68,
        traffic=Visits(20),
        claims=Statistics(2.75, 0.50, 0.910),
    ),
    # With DeepSeek-V3's sizes, three domains in a batch, of twelve: all traffic is lognormal by 0.7, one domain by 1.0,
    # as in serving dumps.
    "deepseek-v3-prefill-domains": replace(
        V3_PREFILL,
        model="DeepSeek-V3, prefill, domains come and go",
        domains=12,
        domain_sd=0.7,
        traffic=Visits(16, at_once=3),
        claims=Statistics(6.0, 0.86, 0.80),
    ),
    # Decode routes of gpt-oss-20b, replayed as batches of 64 requests, one domain after another: loads correlate with
    # those of the next step by 0.90, over 10 steps by 0.88, over 100 by 0.85, over 500 by 0.72.
    "gpt-oss-20b-requests": replace(
        GPT_OSS_DECODE,
        model="gpt-oss-20b, decode, requests come and go",
        tokens=64,
        drift=0.0,
        drift_correlation=0.0,
        domain_steps=800,
        traffic=Requests(300, spread=0.7, own=0.58),
        claims=Statistics(2.75, 0.66, 0.880),
    ),
    # The same with DeepSeek-V3's sizes, 64 requests on each of 32 GPUs.
    "deepseek-v3-decode-requests": replace(
        V3_DECODE,
        model="DeepSeek-V3, decode, requests come and go",
        tokens=2_048,
        drift=0.0,
        domains=3,
        domain_steps=60,
        domain_sd=0.6,
        traffic=Requests(120, spread=0.7, own=0.58),
        claims=Statistics(7.0, 0.925, 0.989),
    ),
    # No recording is at hand: office hours, the evening, and jobs at night, a step for every five minutes.
    "deepseek-v3-day": replace(
        V3_DECODE,
        model="DeepSeek-V3, a day",
        tokens=2**24,
        drift_correlation=0.98,
        domains=3,
        domain_sd=0.6,
        traffic=Day(peaks=(11, 20, 3), sizes=(1, 0.8, 0.3), low=0.1),
        claims=Statistics(7.2, 0.94, 0.9996),
    ),
}
