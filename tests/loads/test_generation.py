"""Generated loads: sums, the cap, what a seed fixes, and each thing that a preset can say."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eplb_xp.loads import PRESETS, Preset, generate
from tests.support.libraries import NumPyArray

PLAIN = Preset("plain", layers=40, experts=64, top_k=4, tokens=100_000, sigma=0.7)


def log_share(load: NumPyArray) -> NumPyArray:
    """The logarithm of each expert's load, without the mean of its layer."""
    log = np.log(np.maximum(load, 0.5))
    return log - log.mean(axis=-1, keepdims=True)


@pytest.mark.parametrize("name", PRESETS)
def test_every_layer_has_the_tokens_of_its_step(name: str) -> None:
    preset = PRESETS[name]
    load = generate(name, steps=3)
    assert load.dtype == np.int64
    assert load.shape == (3, preset.layers, preset.experts)
    assert load.flags.owndata
    assert load.flags.writeable
    tokens = load.sum(axis=-1) / preset.top_k
    assert (tokens == tokens[:, :1]).all()
    assert (tokens < preset.tokens if name == "deepseek-v3-day" else tokens == preset.tokens).all()
    assert load.min() >= 0
    assert (load.max(axis=-1) <= tokens).all()


def test_skewed_loads_reach_the_cap_and_stay_below() -> None:
    # One expert of a layer would have nearly all.
    load = generate(replace(PLAIN, sigma=8.0), steps=2)
    assert load.max() == PLAIN.tokens
    assert ((load > 0.99 * PLAIN.tokens).sum(axis=-1) > 1).mean() > 0.9
    assert (load.sum(axis=-1) == PLAIN.tokens * PLAIN.top_k).all()


@pytest.mark.parametrize("sizes", [(1, 2, 1, 1), (1, 3, 2, 1), (3, 8, 7, 5), (2, 5, 1, 1000)])
@pytest.mark.parametrize("sigma", [0.0, 1.0, 10.0])
def test_small_and_steep(sizes: tuple[int, int, int, int], sigma: float) -> None:
    layers, experts, top_k, tokens = sizes
    load = generate(Preset("small", layers, experts, top_k, tokens, sigma=sigma), steps=20)
    assert (load.sum(axis=-1) == tokens * top_k).all()
    assert load.max() <= tokens


def test_what_is_cut_off_goes_to_the_others_in_proportion() -> None:
    skewed = replace(PLAIN, sigma=2.0, tokens=10**9)
    (cut,) = generate(skewed)
    (whole,) = generate(replace(skewed, top_k=1))
    free = cut < 0.999 * skewed.tokens
    layers = (free.sum(axis=-1) < PLAIN.experts) & (free.sum(axis=-1) > 10)
    assert layers.sum() > 5
    for layer in np.flatnonzero(layers):
        ratio = cut[layer][free[layer]] / whole[layer][free[layer]]
        busy = whole[layer][free[layer]] > 10**6
        assert np.ptp(ratio[busy]) / ratio[busy].mean() < 0.02


def test_a_seed_fixes_the_loads() -> None:
    load = generate("gpt-oss-20b", steps=4, seed=3)
    np.testing.assert_array_equal(load, generate(PRESETS["gpt-oss-20b"], steps=4, seed=3))
    assert (load != generate("gpt-oss-20b", steps=4, seed=4)).mean() > 0.5


def test_more_steps_go_on_where_fewer_end() -> None:
    np.testing.assert_array_equal(generate("gpt-oss-20b", steps=9)[:4], generate("gpt-oss-20b", steps=4))


def test_another_process_generates_the_same() -> None:
    code = "from eplb_xp.loads import generate; print(*generate('gpt-oss-20b', seed=5)[0, 7])"
    alone = [sys.executable, "-c", code]
    run = subprocess.run(alone, check=True, capture_output=True, text=True)  # noqa: S603 # our own code
    assert [int(load) for load in run.stdout.split()] == generate("gpt-oss-20b", seed=5)[0, 7].tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "fault"),
    [
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 1.5}, TypeError, "steps must be a positive integer, got 1.5"),
        ({"steps": True}, TypeError, "steps must be a positive integer, got True"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": None}, TypeError, "seed must be an integer, got None"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], error: type[Exception], fault: str) -> None:
    with pytest.raises(error) as raised:
        generate("gpt-oss-20b", **arguments)
    assert fault in str(raised.value)


def test_marginals_have_the_spread_that_is_asked_for() -> None:
    lognormal = log_share(generate(PLAIN)[0])
    assert lognormal.std() == pytest.approx(0.7, rel=0.05)
    gamma = generate(replace(PLAIN, sigma=None, shape=4.0))[0]
    relative = gamma / gamma.mean(axis=-1, keepdims=True)
    assert relative.std() == pytest.approx(0.5, rel=0.05)  # 1 / sqrt(shape)
    # Far from lognormal: a gamma's logarithm leans to the left.
    log = log_share(gamma)
    assert (log**3).mean() < -0.3 * log.std() ** 3
    assert abs((lognormal**3).mean()) < 0.2 * lognormal.std() ** 3


@pytest.mark.parametrize("marginal", [{"sigma": 0.7}, {"sigma": None, "shape": 4.0}])
def test_first_layers_are_flatter(marginal: dict[str, Any]) -> None:
    flat = replace(PLAIN, experts=2048, first_layer=0.4, ramp_layers=4, **marginal)
    load = generate(flat)[0].astype(float)
    spread = load.std(axis=-1) / load.mean(axis=-1)
    deep = spread[4:].mean()
    assert spread[0] / deep == pytest.approx(0.4, abs=0.06)
    assert spread[2] / deep == pytest.approx(0.7, abs=0.08)
    assert spread[4] / deep == pytest.approx(1, abs=0.12)


def test_nearly_dead_experts() -> None:
    load = generate(replace(PLAIN, sigma=0.1, nearly_dead=0.2))[0]
    dead = load < 0.05 * load.mean()
    assert dead.mean() == pytest.approx(0.2, abs=0.03)
    assert load[dead].mean() / load[~dead].mean() == pytest.approx(0.02, rel=0.05)


def group_logs(name: str) -> NumPyArray:
    """The logarithm of each group's load, of all deep layers and a few steps."""
    load = generate(name, steps=4).sum(axis=0)[4:]
    group = load.sum(axis=0).reshape(8, -1).sum(axis=1)
    return np.log(group / group.mean())


@pytest.mark.parametrize("kind", ["decode", "prefill"])
def test_groups_have_a_trend_with_offsets_and_none_without(kind: str) -> None:
    trend = group_logs(f"deepseek-v3-{kind}")
    offsets = np.array(PRESETS[f"deepseek-v3-{kind}"].group_offsets)
    assert trend[0] == trend.max()
    np.testing.assert_allclose(trend - trend.mean(), offsets - offsets.mean(), atol=0.08)
    assert np.ptp(group_logs(f"deepseek-v3-{kind}-no-trend")) < 0.12


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.1, 0.9])
def test_drift_has_its_spread_and_its_correlation(correlation: float) -> None:
    steps = log_share(generate(replace(PLAIN, drift=0.3, drift_correlation=correlation, tokens=10**7), steps=200))
    drift = steps - steps.mean(axis=0)
    assert drift.std() == pytest.approx(0.3, rel=0.06)
    assert drift[:5].std() == pytest.approx(0.3, rel=0.1)  # from the first step on
    assert (drift[1:] * drift[:-1]).mean() / (drift**2).mean() == pytest.approx(correlation, abs=0.03)


def test_without_drift_steps_differ_by_chance_alone() -> None:
    load = generate(PLAIN, steps=200).astype(float)
    assert (load.var(axis=0).sum() / load.mean(axis=0).sum()) == pytest.approx(1, abs=0.1)  # as counts do


def test_domains_come_in_turn() -> None:
    steps = log_share(generate(replace(PLAIN, domains=3, domain_steps=2, domain_sd=0.5, tokens=10**7), steps=14))
    domain = np.arange(14) // 2 % 3
    assert domain.tolist() == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0]
    for a in range(14):
        for b in range(a):
            apart = (steps[a] - steps[b]).std() / np.sqrt(2)
            assert apart == pytest.approx(0.5 if domain[a] != domain[b] else 0.0, abs=0.04)


def test_the_table_of_the_presets_has_a_row_for_each() -> None:
    run = subprocess.run([sys.executable, "-m", "eplb_xp.loads"], check=True, capture_output=True, text=True)
    rows = [line.split("|")[1].strip(" `") for line in run.stdout.splitlines()[2:]]
    assert rows == list(PRESETS)
