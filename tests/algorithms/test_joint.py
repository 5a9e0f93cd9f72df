"""Counts chosen together with the packing: never worse than swap, and better where GPUs have few slots."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import POLICIES, Policy
from eplb_xp.algorithms import pipeline
from eplb_xp.backends.numpy import NumPy
from eplb_xp.sizes import Sizes
from tests.support.libraries import NUMPY, Library, NumPyArray, every_library
from tests.support.loads import FAMILIES, batch, every_family, thorough, weights
from tests.support.plans import LIGHT_JOINT, assert_same, busiest, plan, problems, report_of

SWAP, JOINT = POLICIES["swap"], POLICIES["joint"]
# replicas, groups, nodes, GPUs, for 12 experts: three and four slots a GPU
EXPERTS = 12
TRIED = {"global": (18, 1, 1, 6), "hierarchical": (32, 4, 2, 8)}
joint_policies = st.builds(
    Policy,
    finish=st.integers(0, 20),
    shakes=st.integers(0, 3),
    neighbourhood=st.sampled_from(["any", "lightest"]),
    threshold=st.sampled_from([0.0, 2.0**-20]),
    levels=st.integers(1, 5),
    refined=st.integers(1, 8),
    generations=st.integers(1, 4),
    tolerance=st.sampled_from([0.0, 2.0**-13, 0.1]),
)


def check(weight: NumPyArray, sizes: tuple[int, ...], policy: Policy, max_replicas: int | None = None) -> None:
    """No layer is worse than with swaps alone, and the plan is whole."""
    replicas, _, nodes, gpus = sizes
    experts = weight.shape[1]
    made = plan(NUMPY, weight, sizes, policy=policy, max_replicas=max_replicas)
    report = report_of(made, weight, sizes)
    swaps = replace(policy, levels=0, finish=0, shakes=0)
    swapped = report_of(plan(NUMPY, weight, sizes, policy=swaps, max_replicas=max_replicas), weight, sizes)
    assert (report.gpu_load.max(axis=1) <= swapped.gpu_load.max(axis=1)).all()
    assert (report.lower_bound <= report.gpu_load.max(axis=1)).all()
    assert (report.doubled == max(0, replicas - experts // nodes * gpus)).all()
    counted = [np.bincount(slots, minlength=experts) for slots in made.phy2log]
    np.testing.assert_array_equal(made.logcnt, np.reshape(counted, weight.shape))
    assert made.logcnt.min() >= 1
    assert made.logcnt.max() <= (max_replicas or replicas)


@every_library
@given(data=st.data())
def test_every_library_makes_a_plan_that_is_no_worse(library: Library, data: st.DataObject) -> None:
    weight, sizes = data.draw(weights((4, EXPERTS))), TRIED["hierarchical"]
    assert_same(plan(library, weight, sizes, policy=LIGHT_JOINT), plan(NUMPY, weight, sizes, policy=LIGHT_JOINT))
    if library is NUMPY:  # all others have its plans
        check(weight, sizes, LIGHT_JOINT)


@every_library
def test_every_library_makes_the_plan_of_the_named_policy(library: Library) -> None:
    weight, sizes = every_family(EXPERTS)[::4], TRIED["global"]
    assert_same(plan(library, weight, sizes, policy="joint"), plan(NUMPY, weight, sizes, policy=JOINT))
    if library is NUMPY:
        check(weight, sizes, JOINT)


@every_library
def test_no_layers(library: Library) -> None:
    none = plan(library, np.zeros((0, 8), np.float32), (12, 1, 1, 4), policy="joint")
    assert [x.shape for x in none] == [(0, 12), (0, 8, 5), (0, 8)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "sizes",
    [(48, 1, 1, 24), (54, 1, 1, 18), (48, 1, 1, 8), (48, 8, 4, 16), (72, 8, 2, 12), (40, 1, 1, 2), (32, 1, 1, 32)],
)
def test_all_loads_at_many_sizes(sizes: tuple[int, ...], family: str) -> None:
    check(batch(family, 3, 5, 32), sizes, JOINT)


@thorough
@given(problem=problems(), policy=joint_policies, room=st.none() | st.integers(0, 3))
def test_any_loads_at_any_sizes(problem: tuple[NumPyArray, tuple[int, ...]], policy: Policy, room: int | None) -> None:
    weight, sizes = problem
    fewest = -(-sizes[0] // weight.shape[1])
    check(weight, sizes, policy, None if room is None else fewest + room)


@given(weight=weights((6, EXPERTS)), sizes=st.sampled_from(list(TRIED.values())), slots=st.sampled_from([1, 1000]))
def test_rows_are_planned_by_themselves(weight: NumPyArray, sizes: tuple[int, ...], slots: int) -> None:
    together = plan(NUMPY, weight, sizes, policy=LIGHT_JOINT)
    for layer in range(len(weight)):
        alone = plan(NUMPY, weight[layer : layer + 1], sizes, policy=LIGHT_JOINT)
        np.testing.assert_array_equal(alone.phy2log[0], together.phy2log[layer])

    class FewAtOnce(NumPy):
        slots_at_once = slots

    placed = FewAtOnce().call(pipeline.place, weight, sizes=Sizes(*sizes), policy=LIGHT_JOINT)
    np.testing.assert_array_equal(placed.phy2log, together.phy2log)
    np.testing.assert_array_equal(placed.logcnt, together.logcnt)


# 48 experts: the largest mean gap, and how many times larger that of swap is: measured, and some room.
@pytest.mark.parametrize(
    ("family", "sizes", "most", "times"),
    [
        ("zipf 1.2", (72, 1, 1, 24), 0.009, 9),
        ("lognormal", (72, 1, 1, 36), 0.07, 1.7),
        ("zipf 2", (64, 4, 2, 16), 0.045, 4),
    ],
)
def test_other_counts_come_closer_to_the_bound(family: str, sizes: tuple[int, ...], most: float, times: float) -> None:
    weight = batch(family, 0, 20, 48)
    gap, swapped = (
        report_of(plan(NUMPY, weight, sizes, policy=policy), weight, sizes).gap.mean() for policy in (JOINT, SWAP)
    )
    assert gap <= most
    assert gap * times <= swapped


def test_more_of_everything_helps() -> None:
    weight = batch("lognormal", 0, 40, 48)
    few = replace(JOINT, levels=2, refined=1, shakes=1)
    tried = [SWAP, replace(few, levels=0), few, replace(few, refined=4), replace(few, levels=12, refined=8), JOINT]
    mean = [busiest(weight, (72, 1, 1, 24), policy).mean() for policy in tried]
    assert mean == sorted(set(mean), reverse=True)


# Three slots a GPU and two, which are shaken, and four.
@pytest.mark.parametrize("gpus", [6, 8, 12])
def test_more_generations_help_small_problems(gpus: int) -> None:
    weight = batch("lognormal", 0, 40, 16)
    tried = [replace(JOINT, generations=generations) for generations in (1, 4, 16)]
    mean = [busiest(weight, (24, 1, 1, gpus), policy).mean() for policy in tried]
    assert mean == sorted(set(mean), reverse=True)


def test_a_later_generation_finds_what_no_level_has() -> None:
    # The best counts are 5, 3, 2, 2, 1, 1, 1, 1, as test_optimum.py would show; D'Hondt's are 5, 5, 1, 1, 1, 1, 1, 1.
    weight, sizes = np.array([[600, 560, 120, 120, 20, 10, 10, 10]]), (16, 1, 1, 8)
    assert busiest(weight, sizes, replace(JOINT, generations=1)) > 199
    assert busiest(weight, sizes, JOINT) == pytest.approx(590 / 3, abs=1e-3)


def test_large_problems_have_one_generation() -> None:
    weight = batch("lognormal", 0, 4, 32)
    for sizes, are_same in (((34, 1, 1, 17), True), ((32, 1, 1, 16), False)):
        one, more = (
            plan(NUMPY, weight[:, : sizes[0] - 8], sizes, policy=replace(JOINT, finish=0, shakes=0, generations=each))
            for each in (1, 9)
        )
        assert (one.phy2log == more.phy2log).all() == are_same


def test_without_levels_the_counts_are_those_of_swap() -> None:
    weight = batch("lognormal", 1, 20, 48)
    sizes = (72, 1, 1, 24)
    swapped, packed = (plan(NUMPY, weight, sizes, policy=p) for p in (SWAP, replace(JOINT, levels=0)))
    np.testing.assert_array_equal(packed.logcnt, swapped.logcnt)
    assert (busiest(weight, sizes, replace(JOINT, levels=0)) < busiest(weight, sizes, SWAP)).any()
    assert (plan(NUMPY, weight, sizes, policy="joint").logcnt != swapped.logcnt).any()


# Three to five slots a GPU, where what is placed already has no further steps, and six.
@pytest.mark.parametrize(("num_gpus", "finish"), [(24, 0), (18, 0), (12, JOINT.finish)])
def test_no_other_counts_where_the_plan_is_within_the_tolerance(num_gpus: int, finish: int) -> None:
    weight, sizes = batch("lognormal", 1, 20, 48), (72, 1, 1, num_gpus)
    kept = replace(JOINT, levels=0, shakes=0, finish=finish)
    reference = plan(NUMPY, weight, sizes, policy=kept)
    mean = weight.sum(axis=1) / sizes[-1]
    largest = np.max(weight / reference.logcnt, axis=1)
    above = busiest(weight, sizes, kept) / np.maximum(mean, largest) - 1
    tolerance = float(np.median(above))
    made = plan(NUMPY, weight, sizes, policy=replace(JOINT, tolerance=tolerance))
    same = (made.phy2log == reference.phy2log).all(axis=1)
    assert same[above < tolerance * 0.999].all()
    assert not same[above > tolerance * 1.001].all()


def test_a_cap_holds_for_other_counts_too() -> None:
    weight = batch("zipf 1.2", 0, 20, 48)
    sizes = (96, 1, 1, 24)
    free = plan(NUMPY, weight, sizes, policy="joint").logcnt.max()
    capped = plan(NUMPY, weight, sizes, policy="joint", max_replicas=3)
    assert capped.logcnt.max() == 3 < free
    assert capped.log2phy.shape[-1] == 3


def test_two_slots_a_gpu_where_the_best_counts_are_far_from_dhondt() -> None:
    # Published with FlashLB, which reaches 205.
    weight = np.array([[600, 560, 120, 120, 20, 10, 10, 10]])
    assert busiest(weight, (16, 1, 1, 8), JOINT) == pytest.approx(590 / 3)
    assert busiest(weight, (16, 1, 1, 8), replace(JOINT, generations=1)) == 200
