"""How long plans on a GPU may take, and the times that are held against it."""

from benchmarks.gpu.batches import QUOTAS, ROUTES, SHARES
from benchmarks.gpu.cases import ALONE, BOTH_ROUTES, WIDE, Case
from benchmarks.gpu.found import Missing, Times, times
from benchmarks.gpu.targets import PUBLISHED, TARGETS, Target, met, target


def test_targets_are_those_of_every_case() -> None:
    assert {*TARGETS} == {*BOTH_ROUTES, ALONE, WIDE, *SHARES, *QUOTAS, *ROUTES}
    of_shares = [TARGETS[case] for case in SHARES]
    assert of_shares == [Target(15, 8)] * 3 + [Target(60, 25), Target(120, 60), Target(8, 5)]
    assert [TARGETS[case] for case in QUOTAS] == [Target(8, 4), Target(20, 10)]
    assert {TARGETS[case] for case in ROUTES} == {Target(10, 5)}
    assert TARGETS[Case("swap", groups=8, nodes=4)] == Target(45, 25)
    assert TARGETS[Case("swap")] == Target(80, 40)
    assert {case.policy for case in TARGETS if isinstance(case, Case) and case not in PUBLISHED} == {
        "joint",
        "ring",
        WIDE.policy,
    }
    assert PUBLISHED[Case("swap")].least == 412_000
    graph = Times(10.0, 9.0, 11.0, 5)
    assert target(WIDE, "eager", graph) == Target(70)
    assert target(WIDE, "jax", graph) == Target(13)
    assert target(WIDE, "jax", Missing("none")) is None
    assert [met(median, Target(20, 10)) for median in (10, 10.1, 20, 20.1)] == ["aim", "reach", "reach", "missed"]
    assert met(1, Target(20)) == "reach"


def test_times_are_the_median_and_the_quartiles() -> None:
    assert times([5.0, 1.0, 2.0, 4.0, 3.0]) == Times(3.0, 2.0, 4.0, 5)
    assert times([5.0, 1.0, 2.0, 4.0, 3.0], 2) == Times(3.0, 2.0, 4.0, 5, 3.0)  # of 5, 2, 3 and 1, 4
