"""What a strategy may be."""

from typing import Any

import pytest

from eplb_xp.simulation import Strategy, usual


def test_budgets() -> None:
    assert Strategy("a", max_moves=0.1).budget(288) == 28
    assert Strategy("a", max_moves=0.29).budget(100) == 29  # in floats 28.999999999999996
    assert Strategy("a", max_moves=7).budget(288) == 7
    assert Strategy("a").budget(288) is None


def test_usual_ones_have_names_of_their_own() -> None:
    names = [each.name for each in usual(50)]
    assert len(set(names)) == len(names)
    assert {each.every for each in usual(50)} == {None, 50}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"policy": None, "every": 5}, ValueError, "x: experts in order are not planned, so every says nothing"),
        ({"policy": "best"}, ValueError, "policy"),
        ({"every": 0}, ValueError, "every must be at least 1"),
        ({"samples": 2.5}, TypeError, "samples must be"),
        ({"half_life": 0.0}, ValueError, "x: half_life must be above 0, got 0.0"),
        ({"more_slots": -1}, ValueError, "more_slots must be at least 0"),
        ({"max_moves": 1.5}, ValueError, "max_moves must be between 0 and 1"),
        ({"max_moves": -1}, ValueError, "max_moves must be at least 0"),
        ({"min_gain": 2.0}, ValueError, "min_gain must be between 0 and 1"),
        ({"follows": False, "max_moves": 3}, ValueError, "x: max_moves and min_gain are about the plan in use"),
    ],
)
def test_what_is_none_is_refused(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Strategy("x", **settings)
