"""Frontiers: made on a library, and what every one keeps to."""

from typing import Any

import numpy as np

from eplb_xp import Frontier, evaluate, frontier, plan_at
from tests.support.following import Case, Sizes, assert_maps, assert_on_nodes, assert_undoubled, by_sample, changed
from tests.support.libraries import NUMPY, Library, NumPyArray
from tests.support.references.beginning import begun, loads_of_layers
from tests.support.references.moving import by_gpu
from tests.support.references.plan import clean
from tests.support.systems import System


def bought(previous: Any, weight: Any, *, sizes: Sizes, cap: int | None = None, **options: Any) -> Any:
    """The frontier, for loads [layers, samples, experts]."""
    return frontier(by_sample(weight), *sizes, previous=previous, max_replicas=cap, **options)


def found_by(library: Library, case: Case, system: System, max_moves: int, **options: Any) -> Frontier[NumPyArray]:
    """The frontier of a case."""
    far = {} if system.far_cost == 1 else {"gpus_per_node": system.near_gpus, "far_cost": system.far_cost}
    static: dict[str, Any] = {"sizes": system.sizes, "cap": system.cap, "max_moves": max_moves, **far, **options}
    found = library.run(bought, case.previous, case.weight, **static)
    assert isinstance(found, Frontier)
    return found


def assert_same(got: Frontier[NumPyArray], want: Frontier[NumPyArray], *, exact: bool = True) -> None:
    """The plans are equal, and the figures within what libraries divide differently."""
    for name, a, b in zip(Frontier._fields, got, want, strict=True):
        is_exact = exact or name in ("phy2log", "logcnt")
        np.testing.assert_allclose(a, b, rtol=0 if is_exact else 1e-6, err_msg=name, strict=True)


def assert_buys(found: Frontier[NumPyArray], case: Case, system: System, max_moves: int) -> None:
    """All that holds of a frontier."""
    rules = system.rules(case.weight)
    layers = len(case.previous)
    assert found.phy2log.shape == (layers, max_moves + 1, rules.replicas)
    assert found.logcnt.shape == (layers, max_moves + 1, rules.experts)
    assert found.busiest.shape == found.balancedness.shape == (layers, max_moves + 1)
    with np.errstate(invalid="ignore"):  # of loads near the largest float32 a GPU's are infinite
        assert not (np.diff(found.busiest) > 0).any()
    assert (np.diff(found.balancedness) >= 0).all()
    for layer, loads in enumerate(loads_of_layers(case.samples)):
        start = begun(case.previous[layer].tolist(), loads, 0, rules)
        assert found.phy2log[layer, 0].tolist() == start.slots
        least = price(start.slots, start.before, start.there, system)
        for moves, slots in enumerate(found.phy2log[layer].tolist()):
            # What stays keeps its slot.
            assert price(slots, start.before, start.there, system) <= max(moves, least)
            assert system.far_cost > 1 or changed(slots, start.before) <= max(moves, least)
            assert_on_nodes(slots, rules)
            assert_undoubled(slots, start.slots, rules)


def price(slots: list[int], before: list[int], there: list[int], system: System) -> int:
    """What slots cost that hold what their GPU did not hold, or not as often."""
    gpus = system.sizes[3]
    rules, total = system.rules(np.zeros((1, system.experts))), 0
    for gpu, (now, was) in enumerate(zip(by_gpu(slots, gpus), by_gpu(before, gpus), strict=True)):
        for expert in set(now):
            total += max(now.count(expert) - was.count(expert), 0) * rules.price(there, gpu, expert)
    return total


def assert_figures(found: Frontier[NumPyArray], case: Case, system: System) -> None:
    """They are those of `evaluate`; of several samples busiest GPUs are means of shares of tokens."""
    samples, gpus = len(case.samples), system.sizes[3]
    load = case.samples
    if samples > 1:  # of a size that overflows nowhere
        load = clean(load.reshape(-1, system.experts)).reshape(load.shape)
    tokens = load.sum(axis=-1, dtype=np.float64)
    for moves in range(found.busiest.shape[1]):
        plan = plan_at(found, moves, max_replicas=system.cap)
        assert_maps(plan, system.experts, system.cap or system.sizes[0] - system.experts + 1)
        np.testing.assert_array_equal(plan.phy2log, found.phy2log[:, moves])
        np.testing.assert_array_equal(plan.logcnt, found.logcnt[:, moves])
        with np.errstate(over="ignore"):
            report = evaluate(plan, load, gpus)
        if samples == 1:
            np.testing.assert_array_equal(found.busiest[:, moves], report.gpu_load[0].max(axis=-1), strict=True)
            np.testing.assert_allclose(found.balancedness[:, moves], report.balancedness[0], atol=1e-6)
        else:
            its = tokens > 0
            share = np.where(its, report.gpu_load.max(axis=-1) / np.where(its, tokens, 1), 0).sum(axis=0)
            mean = share / np.maximum(its.sum(axis=0), 1)
            np.testing.assert_allclose(found.busiest[:, moves], mean, atol=1e-6)
            balance = np.where(mean > 0, 1 / gpus / np.where(mean > 0, mean, 1), 1)
            np.testing.assert_allclose(found.balancedness[:, moves], balance, atol=1e-6)


def of_numpy(case: Case, system: System, max_moves: int, **options: Any) -> Frontier[NumPyArray]:
    """That of NumPy."""
    return found_by(NUMPY, case, system, max_moves, **options)
