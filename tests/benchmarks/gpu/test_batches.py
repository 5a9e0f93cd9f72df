"""Shares, quotas and slots that are timed on a GPU: of the steps after those that were planned from, and NumPy's."""

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.gpu import batches, by_torch, measuring, work
from benchmarks.gpu.batches import JUDGED, PLANNED, QUOTAS, ROUTES, SHARES, TURN, Quotas, Routing, Sharing
from benchmarks.gpu.checking import WrongPlanError, check
from benchmarks.gpu.found import Missing, Times
from benchmarks.gpu.loads import CHECKED_LAYERS
from eplb_xp.loads import generate
from tests.support.libraries import NumPyArray

FEW = Routing("quota", tokens=16)
ALONE = Sharing(288, 32, layers=1)


def on_host(case: Any, given: NumPyArray) -> Any:
    return work.call_of(case, lambda x: x)(given)


def test_plans_are_of_the_steps_before() -> None:
    load = generate(batches.PRESET, steps=PLANNED + JUDGED)
    for case in SHARES:
        sets = work.timed(case)
        np.testing.assert_array_equal(sets, load[PLANNED:, : case.layers])
        made = on_host(case, sets[0])
        assert made.busiest.shape == (case.layers,)
        assert (made.gap <= 2.0**-10).all()
    # On rings of one turn nothing is matched, on those of several it is.
    assert not on_host(TURN[0], work.timed(TURN[0])[0]).rounds.any()
    assert on_host(Sharing(320, 32), work.timed(Sharing(320, 32))[0]).rounds.any()


@pytest.mark.parametrize("case", [FEW, FEW._replace(by="turn")], ids=str)
def test_tokens_go_to_replicas_of_their_experts(case: Routing) -> None:
    sets = work.timed(case)
    assert sets.shape == (JUDGED, 16, 8)
    assert all(len({*choices}) == 8 for choices in sets[0].tolist())
    phy2log = batches.plan_of(1, case.replicas, case.gpus).phy2log[0]
    np.testing.assert_array_equal(phy2log[on_host(case, sets[0]).slot], sets[0])


def test_quotas_are_of_as_many_tokens_as_are_routed() -> None:
    plan = batches.plan_of(1, 288, 32)
    last = batches._quota(ROUTES[0], plan)[:, -1]
    assert last.sum() == 4096 * 8


@pytest.mark.parametrize("case", [Quotas(1), Quotas(3)], ids=str)
def test_quotas_are_of_tokens_that_come_from_others_each_time(case: Quotas) -> None:
    sets = work.timed(case)
    assert sets.shape == (JUDGED, case.layers, 32, 256)
    assert (sets.sum(axis=2) == sets[0].sum(axis=1)).all()
    for counts in sets[:2]:
        np.testing.assert_array_equal(on_host(case, counts).quota[:, :, -1], counts[:, 0])
    assert (sets[0] != sets[1]).any()


@pytest.mark.parametrize("case", [ALONE, Quotas(1), FEW], ids=str)
def test_what_is_wrong_is_told_with_its_case(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_torch, "DEVICE", "cpu")
    by_torch._call_on.cache_clear()
    check(case, 5, by_torch.made)

    def broken(case: Any, given: NumPyArray) -> Any:
        made = on_host(case, given)
        made[0].reshape(len(made[0]), -1)[-1, -1] += 1
        return made

    said = {
        ALONE: "share of layer 0 .later loads",
        Quotas(1): "quota of layer 0 .later loads",
        FEW: "slot of token 15 .lognormal loads",
    }[case]
    with pytest.raises(WrongPlanError, match=f"^{case}: {said}.*seed 5"):
        check(case, 5, broken)


def test_what_is_checked_has_every_family() -> None:
    for case, number in ((ALONE, JUDGED + CHECKED_LAYERS), (FEW, CHECKED_LAYERS)):
        found = [*work.checked(case, 7)]
        assert len(found) == number
        assert {name for _, names in found for name in names} >= {"Zipf", "70 % idle"}
    assert any((experts < 0).any() for experts, _ in work.checked(FEW, 7))


def test_what_the_kernels_refuse_is_not_timed() -> None:
    too_many = FEW._replace(tokens=2**16)
    assert measuring.refused([*SHARES, *QUOTAS, *ROUTES, FEW, too_many]) == {
        too_many: Missing("refused by the kernels: the kernels route at most 262144 choices of tokens, got 524288")
    }
    for case in (Sharing(320, 32, experts=1025), Quotas(1, experts=1025)):
        assert measuring.refused([case]).keys() == {case}


def test_calls_are_timed_with_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_torch, "DEVICE", "cpu")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    for case in (ALONE, Quotas(1), FEW):
        found = measuring.measure([(case, "eager")], {}, 4, lambda _: None)
        (taken,) = found.times.values()
        assert isinstance(taken, Times)
        assert taken.rounds == 4
