"""Whether a change of plans pays."""

from typing import Any

import numpy as np
import pytest

from eplb_xp import moves, rebalance_experts
from eplb_xp.simulation import Cost, Strategy, simulate, worth
from tests.support.libraries import NumPyArray
from tests.support.references import simulating as plain

COST = Cost(0.5, 2.0, seconds_per_move=10.0, seconds_per_far_move=30.0, seconds_per_share=0.25)


def pair(seed: int) -> tuple[NumPyArray, NumPyArray, NumPyArray]:
    """A plan in use, one for other loads, and steps of these."""
    rng = np.random.default_rng(seed)
    before, steps = rng.integers(1, 50, (2, 8)), rng.integers(0, 50, (3, 2, 8))
    used = rebalance_experts(before, 12, 1, 1, 4).phy2log
    return used, rebalance_experts(steps.sum(axis=0), 12, 1, 1, 4, previous=used).phy2log, steps


@pytest.mark.parametrize("seed", range(5))
def test_seconds_are_those_of_a_plain_count(seed: int) -> None:
    used, new, steps = pair(seed)
    found = worth(used, new, steps, COST, 9, num_gpus=4, gpus_per_node=2)
    old, now = (
        sum(plain.seconds(slots[layer].tolist(), load[layer], 4, 2.0, 0.5) for load in steps for layer in range(2))
        for slots in (used, new)
    )
    assert found.seconds_saved == pytest.approx(9 * (old - now) / 3)
    moved = moves(used, new, 4)
    assert found.moved == moved.received.sum()
    assert found.pays == (found.seconds_saved > found.seconds_spent)
    assert 0 < found.seconds_spent <= 30 * found.moved
    assert found.break_even is None or found.break_even * found.seconds_saved == pytest.approx(9 * found.seconds_spent)


def test_more_steps_make_a_change_pay() -> None:
    used, new, steps = pair(1)
    few = worth(used, new, steps, COST, 1, num_gpus=4)
    assert few.break_even is not None
    number = int(few.break_even) + 1
    assert worth(used, new, steps, COST, number, num_gpus=4).pays
    assert not worth(used, new, steps, COST, max(number - 1, 1), num_gpus=4).pays
    assert not worth(used, used, steps, COST, 1000, num_gpus=4).pays
    assert worth(used, used, steps, COST, 1000, num_gpus=4).break_even is None


def test_libraries_and_ranks_agree_to_the_last_digit() -> None:
    import jax.numpy as jnp  # noqa: PLC0415
    import torch  # noqa: PLC0415

    used, new, steps = pair(2)
    expected = worth(used, new, steps, COST, 9, num_gpus=4)
    conversions: tuple[Any, ...] = (jnp.asarray, torch.asarray, np.asfortranarray)
    for asarray in conversions:
        assert worth(asarray(used), asarray(new), asarray(steps), COST, 9, num_gpus=4) == expected
    assert worth((used,), (new,), steps, COST, 9, num_gpus=4) == expected
    # One step alone is a step; in another order they are the same steps.
    assert worth(used, new, steps[0], COST, 9, num_gpus=4) == worth(used, new, steps[:1], COST, 9, num_gpus=4)
    assert worth(used, new, steps[::-1], COST, 9, num_gpus=4) == expected


def test_shares_of_each_step_are_paid_for_and_no_slower_but_for_that() -> None:
    used, new, steps = pair(3)
    trace = np.concatenate([steps, steps])
    equal, best = simulate(
        trace, 12, 1, 1, 4, strategies=[Strategy("e"), Strategy("b", best_shares=True)], window=3, cost=Cost(1.0, 0.0)
    )
    assert best.seconds <= equal.seconds + 1e-9  # type: ignore[operator]
    with_shares = worth(used, new, steps, Cost(1.0, 0.0), 9, num_gpus=4, best_shares=True)
    priced = worth(used, new, steps, Cost(1.0, 0.0, seconds_per_share=1.0), 9, num_gpus=4, best_shares=True)
    assert with_shares.seconds_saved == pytest.approx(priced.seconds_saved)  # both plans pay for them


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"num_gpus": 5}, ValueError, "num_gpus"),
        ({"gpus_per_node": 3}, ValueError, "gpus_per_node must divide num_gpus"),
        ({"cost": 1.0}, TypeError, "cost must be a Cost"),
        ({"plan": np.zeros((2, 12), np.int64)}, ValueError, "expert"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    used, new, steps = pair(4)
    given: dict[str, Any] = {
        "previous": used,
        "plan": new,
        "weight": steps,
        "cost": COST,
        "steps": 3,
        "num_gpus": 4,
        **change,
    }
    with pytest.raises(error, match=message):
        worth(**given)
