"""The presets: their claims, the recordings that they are after, and what a preset may be."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eplb_xp.loads import PRESETS, Preset, Statistics, generate, read, statistics
from tests.support.paths import SHARED

RECORDINGS = SHARED / "loads"

every_preset = pytest.mark.parametrize("name", PRESETS)


def close(measured: Statistics, claimed: Statistics) -> bool:
    """Within the tolerances that a preset's documentation states."""
    busiest, variation, correlation = measured
    return (
        abs(busiest / claimed.busiest_over_mean - 1) < 0.2
        and abs(variation / claimed.coefficient_of_variation - 1) < 0.1
        and abs(correlation - claimed.step_correlation) < 0.02
    )


@every_preset
@pytest.mark.parametrize("seed", [0, 1])
def test_presets_are_what_they_claim(name: str, seed: int) -> None:
    preset = PRESETS[name]
    assert preset.claims is not None
    measured = statistics(generate(name, steps=preset.round_steps, seed=seed))
    assert close(measured, preset.claims), measured


def test_claims_tell_most_presets_apart() -> None:
    def alike(preset: Preset) -> set[str]:
        return {
            name
            for name, other in PRESETS.items()
            if preset.claims and other.claims and close(preset.claims, other.claims)
        }

    for name in ("deepseek-r1-one-domain", "random-tokens", "well-balanced", "deepseek-v2-lite-prefill"):
        assert alike(PRESETS[name]) == {name}
    assert alike(PRESETS["gpt-oss-20b"]) == {"gpt-oss-20b", "gpt-oss-20b-requests"}  # after one recording
    assert "deepseek-v3-prefill" not in alike(PRESETS["deepseek-v3-decode"])
    assert "qwen3-235b-prefill" not in alike(PRESETS["qwen3-235b-decode"])


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("dsr1_nvfp4_srtslurm_8k1k.npz", "random-tokens"),
        ("gptoss20b_decode_bydomain_b64.npz", "gpt-oss-20b"),
        ("gptoss20b_decode_bydomain_b64.npz", "gpt-oss-20b-requests"),
        ("dsv2lite_esft_prefill_chunk512.npz", "deepseek-v2-lite-prefill"),
    ],
)
def test_claims_are_those_of_recordings(file: str, name: str) -> None:
    if not (RECORDINGS / file).exists():
        pytest.skip(f"needs the recording {RECORDINGS / file}")
    claims = PRESETS[name].claims
    recorded = read(RECORDINGS / file)
    assert recorded.shape[1:] == (PRESETS[name].layers, PRESETS[name].experts)
    assert claims is not None
    measured = statistics(recorded)
    if len(recorded) == 1:  # says nothing of what follows what
        measured = measured._replace(step_correlation=claims.step_correlation)
    assert close(measured, claims), measured


SIZES = {
    "deepseek-v3-decode": (58, 256, 8, 8),
    "deepseek-v3-prefill": (58, 256, 8, 8),
    "deepseek-v3-decode-no-trend": (58, 256, 8, 8),
    "deepseek-v3-prefill-no-trend": (58, 256, 8, 8),
    "deepseek-r1-one-domain": (58, 256, 8, 8),
    "qwen3-235b-decode": (94, 128, 8, 1),
    "qwen3-235b-prefill": (94, 128, 8, 1),
    "gpt-oss-20b": (24, 32, 4, 1),
    "kimi-k2": (60, 384, 8, 1),
    "random-tokens": (58, 256, 8, 8),
    "well-balanced": (58, 256, 8, 8),
    "deepseek-v2-lite-prefill": (26, 64, 6, 1),
    "deepseek-v3-prefill-domains": (58, 256, 8, 8),
    "gpt-oss-20b-requests": (24, 32, 4, 1),
    "deepseek-v3-decode-requests": (58, 256, 8, 8),
    "deepseek-v3-day": (58, 256, 8, 8),
}


def test_presets_have_the_sizes_of_their_models() -> None:
    assert {name: (each.layers, each.experts, each.top_k, each.groups) for name, each in PRESETS.items()} == SIZES


SMALL = Preset("small", layers=3, experts=16, top_k=2, tokens=100, sigma=0.5)

BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no layers": ({"layers": 0}, ValueError, "layers must be at least 1, got 0"),
    "broken experts": ({"experts": 2.5}, TypeError, "experts must be a positive integer, got 2.5"),
    "as many as top_k": ({"top_k": 16}, ValueError, "top_k must be less than experts, got 16 of 16"),
    "groups": (
        {"groups": 5},
        ValueError,
        "experts must be a multiple of groups: 16 is not a multiple of 5; nearest: 15",
    ),
    "both": ({"shape": 1.0}, ValueError, "either sigma or shape must be given, got sigma=0.5, shape=1.0"),
    "neither": ({"sigma": None}, ValueError, "either sigma or shape must be given, got sigma=None, shape=None"),
    "text": ({"drift": "0.1"}, TypeError, "drift must be a number, got '0.1' of type str"),
    "truth": ({"nearly_dead": True}, TypeError, "nearly_dead must be a number, got True of type bool"),
    "negative": ({"drift": -0.1}, ValueError, "drift must be between 0 and 10, got -0.1"),
    "NaN": ({"sigma": np.nan}, ValueError, "sigma must be between 0 and 10, got nan"),
    "correlation": ({"drift_correlation": 1.5}, ValueError, "drift_correlation must be between -1 and 1, got 1.5"),
    "offsets": ({"groups": 4, "group_offsets": (1.0,)}, ValueError, "as many as groups, got 1 of 4"),
    "infinite offset": ({"groups": 1, "group_offsets": (np.inf,)}, ValueError, "group_offsets must be between"),
    "sigma too small": (
        {"groups": 2, "group_offsets": (1.0, -1.0)},
        ValueError,
        "a sigma of at least their own 1.000, got 0.5",
    ),
    "offsets of a gamma": (
        {"groups": 2, "group_offsets": (0.1, -0.1), "sigma": None, "shape": 1.0},
        ValueError,
        "a sigma of at least their own 0.100, got None",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_fields_are_refused(name: str) -> None:
    fields, error, fault = BAD[name]
    with pytest.raises(error) as raised:
        replace(SMALL, **fields)
    assert fault in str(raised.value)


def test_names_that_are_not_known_name_the_nearest_and_all() -> None:
    with pytest.raises(
        ValueError, match="'deepseek-v3-decod' is not known; the nearest is 'deepseek-v3-decode'"
    ) as error:
        generate("deepseek-v3-decod")
    assert all(name in str(error.value) for name in PRESETS)
    with pytest.raises(TypeError, match="preset must be a name or a Preset, got 3 of type int"):
        generate(3)  # type: ignore[arg-type]


def test_presets_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["mine"] = SMALL  # type: ignore[index]


def test_statistics_by_hand() -> None:
    load = np.array([[[4, 0], [1, 1], [0, 0]], [[0, 2], [1, 1], [0, 0]]])  # relative: 2 0, then 0 2; 1 and 1
    # Summed, 4 2: busiest 4/3, standard deviation 1/3; the next layer is even, the last has no load.
    assert statistics(load) == pytest.approx(((4 / 3 + 1) / 2, 1 / 6, -1.0))
    assert statistics(load[:, :1]) == pytest.approx((4 / 3, 1 / 3, -1.0))
    assert np.isnan(statistics(load[:1]).step_correlation)
    assert np.isnan(statistics(load[:, 1:]).step_correlation)
    assert np.isnan(statistics(load[:, 2:])).all()


def test_statistics_leave_out_what_has_no_load() -> None:
    load = generate("gpt-oss-20b", steps=4)
    expected = statistics(load)
    with_idle_layers = np.concatenate([load, np.zeros_like(load)], axis=1)
    assert statistics(with_idle_layers) == pytest.approx(expected)
    with_idle_steps = np.concatenate([np.zeros_like(load), load, np.zeros_like(load)])
    assert statistics(with_idle_steps) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(2, 3), (0, 2, 3), (1, 2, 0)])
def test_statistics_need_steps_layers_and_experts(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"load must be \[steps, layers, experts\], none of them 0, got shape"):
        statistics(np.ones(shape))
