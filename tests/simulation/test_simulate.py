"""Strategies on traces: what a plain count says, step by step, and what is refused."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import moves, rebalance_experts
from eplb_xp.loads import samples
from eplb_xp.simulation import Cost, Strategy, simulate, usual
from tests.support.libraries import NumPyArray
from tests.support.paths import SHARED
from tests.support.references import simulating as plain

SIZES = 6, 1, 1, 3
COST = Cost(0.5, 2.0, seconds_per_move=10.0, seconds_per_far_move=30.0, seconds_per_share=0.25, overlap=0.5)


def drawn(seed: int, steps: int = 12, layers: int = 2) -> NumPyArray:
    return np.random.default_rng(seed).integers(0, 9, (steps, layers, 4))


def plans_of(trace: NumPyArray, strategy: Strategy, start: int, window: int, end: int) -> list[NumPyArray]:
    """The plans of a strategy, the first before the start."""
    made: list[NumPyArray] = []
    for at in [start, *range(start + strategy.every, end, strategy.every)] if strategy.every else [start]:
        past = trace[at - window : at]
        weight = samples(past, strategy.samples) if strategy.samples else past.sum(axis=0)
        settings: dict[str, Any] = {"policy": strategy.policy}
        if made and strategy.follows:
            settings |= {"previous": made[-1], "max_moves": strategy.budget(SIZES[0]), "min_gain": strategy.min_gain}
        made.append(rebalance_experts(weight.astype(np.float32), *SIZES, **settings).phy2log)
    return made


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(
        [
            Strategy("once"),
            Strategy("EPLB", "greedy", 3, follows=False),
            Strategy("few", every=4, max_moves=0.2),
            Strategy("samples", every=5, max_moves=2, samples=2, min_gain=0.1),
        ]
    ),
    st.integers(0, 1),
    st.integers(1, 2),
)
@settings(max_examples=20)
def test_figures_are_those_of_a_plain_count(seed: int, strategy: Strategy, delay: int, layers_per_step: int) -> None:
    trace, window = drawn(seed), 3
    steps, layers, _ = trace.shape
    end = steps - delay - (layers - 1) // layers_per_step
    made = plans_of(trace, strategy, window, window, end)
    at = [window, *range(window + (strategy.every or steps), end, strategy.every or steps)]
    (found,) = simulate(
        trace, *SIZES, strategies=[strategy], window=window, delay=delay, layers_per_step=layers_per_step, cost=COST
    )
    busy = trace.max(axis=2) > 0

    def slots(step: int, layer: int) -> list[int]:
        chosen: list[int] = made[plain.in_use(at, step, delay + layer // layers_per_step)][layer].tolist()
        return chosen

    judged = [(s, layer) for s in range(window, steps) for layer in range(layers) if busy[s, layer]]
    by_step = [plain.balance(plain.gpu_loads(slots(s, layer), trace[s, layer], 3)) for s, layer in judged]
    assert found.by_step == pytest.approx(np.mean(by_step))
    actual = []
    for block in plain.blocks(trace, window, window):
        for layer in range(layers):
            loads = np.sum([plain.gpu_loads(slots(s, layer), trace[s, layer], 3) for s in block], axis=0)
            actual += [plain.balance(loads)] if loads.any() else []
    assert found.actual == pytest.approx(np.mean(actual))
    number = len({s for s, _ in judged})
    total = sum(plain.seconds(slots(s, layer), trace[s, layer], 3, 2.0, 0.5) for s, layer in judged)
    assert found.seconds == pytest.approx(total / number)
    received = [int(moves(old, new, 3).received.sum()) for old, new in pairwise(made)]
    assert found.moves == received
    assert found.plans == len(made)
    assert [step for step, _ in found.promised] == at


def test_what_is_planned_for_is_promised() -> None:
    trace = np.tile(drawn(1)[:1], (12, 1, 1))  # every step is the same
    never, once, few = simulate(
        trace,
        *SIZES,
        strategies=[Strategy("never", None), Strategy("once"), Strategy("few", every=3, max_moves=1)],
        window=3,
        cost=COST,
    )
    assert once.planned == pytest.approx(once.actual)
    assert once.kept == pytest.approx(1)
    assert never.planned is never.kept is None
    assert never.seconds_saved == 0
    assert (few.moved, few.break_even, few.seconds_spent) == (0, None, 0)
    assert once.seconds_saved == pytest.approx(never.seconds - once.seconds)  # type: ignore[operator]


def test_shares_of_each_step_are_no_worse_than_equal_ones() -> None:
    trace = drawn(3, steps=20)
    equal, best = simulate(
        trace,
        8,
        1,
        1,
        4,
        strategies=[Strategy("equal", "ring"), Strategy("best", "ring", best_shares=True)],
        window=4,
        cost=Cost(1.0, 0.0, seconds_per_share=0.25),
    )
    assert np.all(best.balance >= equal.balance - 1e-9)
    busy = (trace[4:].max(axis=2) > 0).sum() / 16
    busiest = trace[4:].sum(axis=2) / 4  # where all GPUs have as much
    assert best.seconds is not None
    assert best.seconds >= busiest.sum() / 16 + 0.25 * busy - 1e-9


def test_moves_cost_what_the_busiest_gpu_takes() -> None:
    trace = np.zeros((4, 1, 4), np.int64)
    trace[:2], trace[2:] = [9, 1, 1, 1], [1, 9, 1, 1]
    (found,) = simulate(
        trace,
        6,
        1,
        1,
        3,
        strategies=[Strategy("joint", every=2)],
        window=2,
        gpus_per_node=1,
        cost=COST,
        layers_per_step=1,
    )
    assert found.plans == 1  # a second one would be in use in no step
    (found,) = simulate(
        np.concatenate([trace, trace[2:]]),
        6,
        1,
        1,
        3,
        strategies=[Strategy("joint", every=2)],
        window=2,
        gpus_per_node=1,
        cost=COST,
    )
    assert (found.near_moves, found.far_moves) == (0, sum(found.moves))
    assert found.far_moves > 0
    assert found.seconds_spent is not None
    assert found.seconds_spent * 4 % 15 == 0  # far moves at 30 seconds, half of them hidden


def test_tokens_of_a_step_are_what_they_are_said_to_be() -> None:
    trace = drawn(5) + 1
    strategies = [Strategy("never", None), Strategy("once")]
    for some, more in zip(
        simulate(trace, *SIZES, strategies=strategies, window=3, cost=Cost(1.0, 0.0), tokens=100),
        simulate(7 * trace, *SIZES, strategies=strategies, window=3, cost=Cost(1.0, 0.0), tokens=200),
        strict=True,
    ):
        assert 2 * some.seconds == pytest.approx(more.seconds)  # type: ignore[operator]


def test_steps_and_layers_without_tokens_are_left_out() -> None:
    trace = drawn(6) + 1
    with_idle = np.concatenate([trace, np.zeros((1, *trace.shape[1:]), trace.dtype)])
    with_idle = np.concatenate([with_idle, np.zeros((len(with_idle), 1, 4), trace.dtype)], axis=1)
    tried = [Strategy("never", None), Strategy("few", every=5, max_moves=2)]
    for some, same in zip(*(simulate(x, *SIZES, strategies=tried, window=4) for x in (trace, with_idle)), strict=True):
        assert some.planned == pytest.approx(same.planned)
        assert some.by_step == pytest.approx(same.by_step)
        assert some.worst == pytest.approx(same.worst)
        assert np.isnan(same.balance[-1])
    (nothing,) = simulate(0 * trace, *SIZES, strategies=tried[1:], window=4, cost=COST)
    assert nothing.actual is nothing.planned is nothing.kept is nothing.seconds is nothing.break_even is None


def test_all_usual_strategies_run_and_tell_themselves_apart() -> None:
    told: list[str] = []
    tried = usual(5)
    found = simulate(drawn(7, steps=25) + 1, *SIZES, strategies=tried, window=5, announce=told.append)
    assert told == [each.name for each in tried]
    assert [each.strategy for each in found] == tried
    assert all(each.seconds is None for each in found)
    assert [each.num_replicas for each in found[-2:]] == [9, 9]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 12}, "a window of 12 steps leaves none to judge, of 12"),
        ({"window": 0}, "window must be at least 1"),
        ({"strategies": []}, "at least one strategy, got none"),
        ({"strategies": [Strategy("a"), Strategy("a", "greedy")]}, "different names, got 2 of name 'a'"),
        ({"delay": 3, "strategies": [Strategy("a", every=3)]}, "within 4: a delay of 3, then 2 layers, 2 a step"),
        ({"strategies": [Strategy("a", samples=9)]}, "a: 9 samples can't be made of 3 steps"),
        ({"gpus_per_node": 2}, "gpus_per_node must divide num_gpus"),
        ({"cost": Cost(-1.0, 0.0)}, "seconds_per_token must be between 0 and"),
        ({"tokens": -1.0}, "tokens must be between 0 and"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"strategies": [Strategy("a")], "window": 3, **change}
    with pytest.raises(ValueError, match=message):
        simulate(drawn(0), *SIZES, **given)


def test_a_trace_that_is_none_is_refused() -> None:
    given: dict[str, Any] = {"strategies": [Strategy("a")], "window": 3}
    with pytest.raises(ValueError, match=r"trace must be \[steps, layers, experts\]"):
        simulate(drawn(0)[0], *SIZES, **given)
    with pytest.raises(ValueError, match="NaN, infinite or negative"):
        simulate(drawn(0) - 1.0, *SIZES, **given)
    with pytest.raises(TypeError, match="trace must be of integers or real floats"):
        simulate(drawn(0).astype(complex), *SIZES, **given)
    with pytest.raises(TypeError, match="cost must be a Cost"):
        simulate(drawn(0), *SIZES, **given, cost=(1.0, 2.0))  # type: ignore[arg-type]


GPT_OSS = SHARED / "loads" / "gptoss20b_decode_bydomain_b64.npz"


@pytest.mark.skipif(not GPT_OSS.exists(), reason=f"needs the recording {GPT_OSS.name}")
def test_a_recording_comes_to_what_was_measured_elsewhere() -> None:
    """Once .709 on some of its layers, fresh plans as EPLB's .922, a tenth of the slots .919: on all layers."""
    with np.load(GPT_OSS) as data:
        trace = data["load"]
    tried = [Strategy("once"), Strategy("EPLB", "greedy", 50, follows=False), Strategy("few", every=50, max_moves=0.1)]
    once, eplb, few = simulate(trace, 40, 1, 1, 8, strategies=tried, window=50)
    assert once.actual == pytest.approx(0.713, abs=0.002)
    assert eplb.actual == pytest.approx(0.922, abs=0.002)
    assert eplb.moved == pytest.approx(0.78, abs=0.01)
    assert few.actual == pytest.approx(0.919, abs=0.002)
    assert few.moved < 0.1
