"""What is advised."""

from typing import Any

import numpy as np
import pytest

from eplb_xp.simulation import Cost, Score, Strategy, recommend, simulate


def score(name: str, saved: float | None, spent: float = 0.0, moved: int = 0, **settings: Any) -> Score:
    """As far as advice goes by it: of a step of a second in order."""
    policy = None if name == "never" else "joint"
    balance = np.ones(10)
    seconds = None if saved is None else 1 - saved
    return Score(
        Strategy(name, policy, **settings), 8, 1, 0.9, 0.5 + (saved or 0) / 2, 1.0, 0.5, 0.5, None, 0.1, 0.1, moved, 0,
        seconds, saved, None if saved is None else spent, None, balance, [], [moved] if moved else [],
    )  # fmt: skip


NEVER = score("never", 0.0)


def test_the_best_is_taken_and_what_was_compared_is_said() -> None:
    said = recommend([NEVER, score("few", 0.2), score("all", 0.4, moved=9)])
    assert said == (
        "Take all: of 3 strategies on 10 steps it saves 40.0% of a step's 1 s against experts in order and moves 10% "
        "of the slots each time; it hangs on these steps, their tokens and the costs given."
    )


def test_of_those_nearly_as_good_the_one_that_moves_least() -> None:
    said = recommend([NEVER, score("few", 0.38, moved=2), score("all", 0.4, moved=9)])
    assert said.startswith("Take few: of 3 strategies on 10 steps it saves 38.0% of a step's 1 s")
    assert "95% of what all does" in said


def test_moves_are_paid_for() -> None:
    assert recommend([NEVER, score("few", 0.2, moved=2), score("all", 0.4, 0.35, 9)]).startswith("Take few")


def test_memory_is_spent_last() -> None:
    assert recommend([NEVER, score("few", 0.38), score("more", 0.4, more_slots=1)]).startswith("Take few")
    assert recommend([NEVER, score("few", 0.2), score("more", 0.4, more_slots=1)]).startswith("Take more")


def test_where_nothing_helps_that_is_said() -> None:
    said = recommend([NEVER, score("few", -0.1), score("all", 0.009)])
    assert said.startswith("Keep the experts in order: of 3 strategies on 10 steps none saves 1% of a step's 1 s")


def test_without_seconds_balance_counts_and_that_is_said() -> None:
    trace = np.random.default_rng(0).integers(1, 90, (12, 2, 8))
    tried = [Strategy("never", None), Strategy("few", every=3, max_moves=0.2)]
    said = recommend(simulate(trace, 12, 1, 1, 4, strategies=tried, window=3))
    assert said.endswith("this is balance alone, since no cost was given.")
    assert "of the busiest GPU's load" in said
    (nothing,) = simulate(0 * trace, 12, 1, 1, 4, strategies=tried[:1], window=3, cost=Cost(1.0, 1.0))
    assert recommend([nothing]) == "No step has tokens: there is nothing to balance."


def test_experts_in_order_must_be_among_them() -> None:
    with pytest.raises(ValueError, match="add a strategy of policy None"):
        recommend([score("few", 0.2)])
