"""Domains that come and go, requests that live, a day: what each does, and the recordings that they are fitted to."""

import hashlib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from eplb_xp.loads import PRESETS, Day, Preset, Requests, Visits, generate, read, statistics
from tests.support.libraries import NumPyArray
from tests.support.paths import SHARED

RECORDINGS = SHARED / "loads"

PLAIN = Preset(
    "plain", layers=6, experts=48, top_k=4, tokens=10**6, sigma=0.4, domains=5, domain_steps=30, domain_sd=0.7
)
SERVED = {name: preset for name, preset in PRESETS.items() if preset.traffic is not None}


def correlation(load: NumPyArray, lag: int) -> float:
    """Of an expert's load, relative to its layer's mean, with that of so many steps later."""
    relative = load / load.mean(axis=-1, keepdims=True) - 1
    now, after = relative[:-lag], relative[lag:]
    return float(np.vdot(now, after) / np.sqrt(np.vdot(now, now) * np.vdot(after, after)))


def alike(load: NumPyArray) -> NumPyArray:
    """Which steps are of the same domains, where only chance is between those: [steps, steps]."""
    relative = (load / load.mean(axis=-1, keepdims=True) - 1).reshape(len(load), -1)
    length = np.linalg.norm(relative, axis=1)
    same: NumPyArray = relative @ relative.T / np.outer(length, length) > 0.99
    return same


def recording(file: str) -> NumPyArray:
    if not (RECORDINGS / file).exists():
        pytest.skip(f"needs the recording {RECORDINGS / file}")
    return read(RECORDINGS / file)


def test_a_domain_stays_and_another_one_takes_its_place() -> None:
    same = alike(generate(replace(PLAIN, traffic=Visits(8)), steps=1200))
    changes = np.flatnonzero(~same[1:, :-1].diagonal())
    assert np.diff(changes).mean() == pytest.approx(8, rel=0.2)
    stays = np.diff(changes)
    assert stays.std() == pytest.approx(stays.mean(), rel=0.25)  # geometric
    assert len(np.unique(same, axis=0)) == 5  # and they come again


def test_batches_of_a_few_domains_change_a_part() -> None:
    load = generate(replace(PLAIN, traffic=Visits(20, at_once=2)), steps=600)
    assert len(np.unique(alike(load), axis=0)) == 10  # pairs of five
    relative = (load / load.mean(axis=-1, keepdims=True) - 1).reshape(600, -1)
    after = np.array([np.corrcoef(a, b)[0, 1] for a, b in pairwise(relative)])
    kept = np.median(after[after < 0.99])
    alone = generate(replace(PLAIN, traffic=Visits(1)), steps=2).reshape(2, -1)
    assert 0.4 < kept < 0.85  # one of two stays
    assert kept > np.corrcoef(alone[0], alone[1])[0, 1] + 0.1


@pytest.mark.parametrize("own", [0.0, 0.5, 1.0])
def test_requests_keep_their_own_experts(own: float) -> None:
    flat = replace(PLAIN, sigma=0.0, domain_sd=0.0, tokens=400, traffic=Requests(40, spread=0.5, own=own))
    load = generate(flat, steps=300)
    assert (load.sum(axis=-1) == 1600).all()
    # Experts differ by chance alone, as counts do; own ** 2 of that stays as long as requests do.
    assert load.var() / load.mean() == pytest.approx(1, abs=0.12)
    assert correlation(load, 1) == pytest.approx(own**2, abs=0.06)
    assert correlation(load, 200) == pytest.approx(0, abs=0.1)
    assert correlation(load, 20) <= correlation(load, 1) + 0.03


def test_requests_live_as_long_as_is_said() -> None:
    """All of one length: those that came together go together, half of them after half of it."""
    flat = replace(PLAIN, sigma=0.0, domain_sd=0.0, tokens=2000, traffic=Requests(40, spread=0.0, own=1.0))
    load = generate(flat, steps=120)
    for lag in (10, 20, 30):
        assert correlation(load, lag) == pytest.approx(1 - lag / 40, abs=0.06)
    assert correlation(load, 60) == pytest.approx(0, abs=0.1)


def test_a_domain_fades_out_as_its_requests_end() -> None:
    two = replace(PLAIN, domains=2, domain_steps=100, traffic=Requests(30, spread=0.5, own=0.5), tokens=3000)
    load = generate(two, steps=200)
    first, second = load[90:100].sum(axis=0), load[190:].sum(axis=0)
    parts = [load[step : step + 5].sum(axis=0) for step in (100, 110, 125, 150)]
    towards = [np.vdot(part - first, second - first) / np.vdot(second - first, second - first) for part in parts]
    assert towards == sorted(towards)
    assert 0 < towards[0] < 0.3
    assert towards[-1] > 0.7


def test_a_day_has_its_hours() -> None:
    day = Day(peaks=(12, 0), sizes=(1, 0.5), low=0.2, minutes=15)
    load = generate(replace(PLAIN, domains=2, traffic=day, drift=0.0), steps=192)
    tokens = load.sum(axis=-1)[:, 0] // 4
    assert (load.sum(axis=-1) == 4 * tokens[:, None]).all()
    assert tokens[:96].max() == PLAIN.tokens
    assert set(np.flatnonzero(tokens[:96] == tokens[:96].max())) <= {47, 48}  # noon
    midnight, noon = 0.2 + 0.5, 1 + 0.5 * 0.2
    assert tokens[0] / tokens[48] == pytest.approx(midnight / noon, rel=0.01)
    np.testing.assert_array_equal(tokens[:96], tokens[96:])
    same = alike(load)
    assert same[10, 106]  # at the same hour of the next day
    assert not same[0, 48]


@pytest.mark.parametrize("name", SERVED)
def test_more_steps_go_on_where_fewer_end(name: str) -> None:
    preset = replace(SERVED[name], layers=2)
    np.testing.assert_array_equal(generate(preset, steps=60, seed=3)[:25], generate(preset, steps=25, seed=3))


@pytest.mark.parametrize(
    "traffic", [Visits(2), Requests(3, 1.0, 0.7), Requests(1, 0.0, 1.0), Day((0, 9), (1, 1), 0.001)]
)
@pytest.mark.parametrize("sizes", [(1, 2, 1, 1), (3, 8, 7, 5), (2, 5, 1, 1000)])
@pytest.mark.parametrize("sigma", [0.0, 10.0])
def test_small_and_steep(traffic: Any, sizes: tuple[int, int, int, int], sigma: float) -> None:
    layers, experts, top_k, tokens = sizes
    steep = Preset("steep", layers, experts, top_k, tokens, sigma=sigma, domains=2, domain_sd=sigma, traffic=traffic)
    load = generate(steep, steps=20)
    number = load.sum(axis=-1) // top_k
    assert (load.sum(axis=-1) == number[:, :1] * top_k).all()
    assert number.min() >= 1
    assert number.max() <= tokens
    assert (load.max(axis=-1) <= number).all()
    assert load.min() >= 0


DIGESTS = {
    "deepseek-v2-lite-prefill": "c56bd934e4b7d972",
    "deepseek-v3-prefill-domains": "bfc23db336de4381",
    "gpt-oss-20b-requests": "982e287902d9fc15",
    "deepseek-v3-decode-requests": "318105b60c04a233",
    "deepseek-v3-day": "e527814ddbffe090",
}


@pytest.mark.parametrize("name", SERVED)
def test_a_seed_gives_the_same_loads_whatever_numpy(name: str) -> None:
    load = generate(replace(SERVED[name], layers=2, tokens=500), steps=40, seed=1)
    assert hashlib.sha256(load.astype("<i8").tobytes()).hexdigest()[:16] == DIGESTS[name]


def test_prefill_is_like_the_recorded_one() -> None:
    """DeepSeek-V2-Lite in chunks of 512 tokens, four domains one after the other, 16 chunks each."""
    preset = replace(PRESETS["deepseek-v2-lite-prefill"], traffic=None, domain_steps=16)
    made, recorded = generate(preset, steps=64), recording("dsv2lite_esft_prefill_chunk512.npz")
    assert made.shape == recorded.shape
    assert (made.sum(axis=-1) == recorded.sum(axis=-1)).all()
    for load in (made, recorded):
        found = statistics(load)
        assert found.busiest_over_mean == pytest.approx(2.75, rel=0.2)
        assert found.coefficient_of_variation == pytest.approx(0.50, rel=0.1)
        assert found.step_correlation == pytest.approx(0.910, abs=0.02)
        domains = load.reshape(4, 16, 26, 64)
        assert np.mean([correlation(domain, 1) for domain in domains]) == pytest.approx(0.94, abs=0.02)
        assert np.mean([correlation(domain, 8) for domain in domains]) == pytest.approx(0.92, abs=0.03)
        total = domains.sum(axis=1)
        between = [correlation(total[[a, b]], 1) for a in range(4) for b in range(a)]
        assert np.mean(between) == pytest.approx(0.15, abs=0.05)
        relative = load / load.mean(axis=-1, keepdims=True)
        assert relative.std() == pytest.approx(0.85, abs=0.08)
        assert np.median(relative.max(axis=-1)) == pytest.approx(4.1, rel=0.1)


def test_decode_is_like_the_recorded_one() -> None:
    """gpt-oss-20b, batches of 64 requests."""
    made = generate("gpt-oss-20b-requests", steps=3156)
    recorded = recording("gptoss20b_decode_bydomain_b64.npz")
    assert made.shape == recorded.shape
    assert (made.sum(axis=-1) == recorded.sum(axis=-1)).all()
    for load in (made, recorded):
        for lag, expected in ((1, 0.89), (10, 0.876), (100, 0.852), (500, 0.72)):
            assert correlation(load, lag) == pytest.approx(expected, abs=0.015 if lag < 500 else 0.04)
        found = statistics(load)
        assert found.busiest_over_mean == pytest.approx(2.75, rel=0.2)
        assert found.coefficient_of_variation == pytest.approx(0.66, rel=0.1)


BAD: dict[str, tuple[type, dict[str, Any], type[Exception], str]] = {
    "no steps": (Visits, {"steps": 0}, ValueError, "steps must be at least 1, got 0"),
    "broken": (Visits, {"steps": 1.5}, TypeError, "steps must be a positive integer, got 1.5"),
    "none at once": (Visits, {"steps": 2, "at_once": 0}, ValueError, "at_once must be at least 1, got 0"),
    "wide": (Requests, {"steps": 2, "spread": 4, "own": 0}, ValueError, "spread must be between 0 and 3, got 4"),
    "sure": (Requests, {"steps": 2, "spread": 0, "own": 2}, ValueError, "own must be between 0 and 1, got 2"),
    "hour": (Day, {"peaks": (25,), "sizes": (1,), "low": 0.1}, ValueError, "peaks must be between 0 and 24, got 25"),
    "sizes": (Day, {"peaks": (1, 2), "sizes": (1,), "low": 0.1}, ValueError, "as many as peaks, got 1 and 2"),
    "empty": (Day, {"peaks": (1,), "sizes": (0,), "low": 0.1}, ValueError, "sizes must be between"),
    "nothing left": (Day, {"peaks": (1,), "sizes": (1,), "low": 0}, ValueError, "low must be between 0.001 and 1"),
    "minutes": (Day, {"peaks": (1,), "sizes": (1,), "low": 0.1, "minutes": 7}, ValueError, "minutes must divide the"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_fields_are_refused(name: str) -> None:
    made, fields, error, fault = BAD[name]
    with pytest.raises(error) as raised:
        made(**fields)
    assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("traffic", "error", "fault"),
    [
        (Visits(3, at_once=5), ValueError, "visits need more domains than are there at once, got 5 with 5"),
        (Day((1, 2), (1, 1), 0.1), ValueError, "a day needs an hour for each domain, got 2 peaks of 5 domains"),
        ("day", TypeError, "traffic must be Visits, Requests, a Day or None, got 'day'"),
    ],
)
def test_traffic_that_does_not_fit_is_refused(traffic: Any, error: type[Exception], fault: str) -> None:
    with pytest.raises(error) as raised:
        replace(PLAIN, traffic=traffic)
    assert fault in str(raised.value)
