"""What the environment may ask for, and what is said where it asks for what there is not."""

import pytest

from eplb_xp.engines.settings import Settings, from_environment


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        ({}, None),
        ({"EPLB_XP_POLICY": " "}, None),
        ({"EPLB_XP_POLICY": "joint"}, Settings()),
        ({"EPLB_XP_POLICY": "swap , max_moves = 10%"}, Settings("swap", max_moves="10%")),
        ({"EPLB_XP_POLICY": "joint,min_gain=0.05"}, Settings(min_gain=0.05)),
        (
            {"EPLB_XP_POLICY": "ring,max_moves=8,min_gain=1,far_cost=5,samples=1", "EPLB_XP_PLAN_ON": "cuda"},
            Settings("ring", "8", 1.0, 5, 1, "cuda"),
        ),
        ({"EPLB_XP_POLICY": "joint", "EPLB_XP_METRICS": "prometheus"}, Settings(metrics="prometheus")),
    ],
)
def test_settings(environment: dict[str, str], settings: Settings | None) -> None:
    assert from_environment(environment) == settings


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            "best",
            "must begin with a policy, one of greedy, swap, multistart, joint, ring, as in .* got 'best'",
        ),
        ("max_moves=10%", "must begin with a policy"),
        ("joint,10%", "takes NAME=VALUE of max_moves, min_gain, far_cost, samples after the policy, got '10%'"),
        ("joint,moves=8", "takes NAME=VALUE of .* got 'moves=8'"),
        ("joint,", "takes NAME=VALUE .* got ''"),
        ("joint,max_moves=8,max_moves=9", "every option once"),
        ("joint,max_moves=-1", "max_moves must be a whole number of slots of a layer, such as 8, or 0% .* got '-1'"),
        ("joint,max_moves=101%", "max_moves must be .* got '101%'"),
        ("joint,min_gain=2", "min_gain must be a number from 0 to 1, got '2'"),
        ("joint,min_gain=nan", "min_gain must be a number from 0 to 1, got 'nan'"),
        ("joint,max_moves=8,far_cost=0", "far_cost must be a whole number from 1 to 1000, got '0'"),
        ("joint,max_moves=8,samples=1.5", "samples must be a whole number from 1 to 64, got '1.5'"),
        ("joint,far_cost=5", "has far_cost only beside max_moves"),
        ("joint,samples=5", "has samples only beside max_moves"),
    ],
)
def test_policies_that_there_are_not(value: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"EPLB_XP_POLICY.*{words}"):
        from_environment({"EPLB_XP_POLICY": value})


@pytest.mark.parametrize(("variable", "known"), [("EPLB_XP_PLAN_ON", "cpu or cuda"), ("EPLB_XP_METRICS", "prometheus")])
def test_other_variables(variable: str, known: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} must be {known}, got 'tpu'"):
        from_environment({"EPLB_XP_POLICY": "joint", variable: "tpu"})


def test_budgets_are_of_a_layer() -> None:
    assert Settings(max_moves="10%").budget(288) == 28
    assert Settings(max_moves="8").budget(288) == 8
    assert Settings().budget(288) is None


def test_settings_are_told_as_they_were_given() -> None:
    assert str(Settings("swap", "10%", 0.05, 5, 4)) == "swap,max_moves=10%,min_gain=0.05,far_cost=5,samples=4"
    assert str(Settings()) == "joint"
