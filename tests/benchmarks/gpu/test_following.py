"""Plans that follow one in use in the benchmark of plans on a GPU."""

import numpy as np

from benchmarks.gpu import measuring, work
from benchmarks.gpu.following import FOLLOWED, Following
from benchmarks.gpu.loads import SETS

FEW = Following(24, 8, layers=3, experts=16)


def on_host(case: Following, load: np.ndarray) -> np.ndarray:
    slots: np.ndarray = work.call_of(case, lambda x: x)(load).phy2log
    return slots


def test_few_slots_move_where_loads_have_drifted() -> None:
    sets = work.timed(FEW)
    assert (sets.shape, sets.dtype) == ((SETS, 3, 16), np.float32)
    first, second = (on_host(FEW, load) for load in sets[:2])
    assert (first != second).any()
    assert ((first != second).sum(axis=1) <= 2 * FEW.moves).all()


def test_what_is_checked_is_fresh() -> None:
    ((load, families),) = work.checked(FEW, 7)
    ((other, _),) = work.checked(FEW, 8)
    assert (load.shape, families) == ((3, 16), ["drifted"] * 3)
    assert not any(np.array_equal(load, known) for known in (other, *work.timed(FEW)))


def test_no_case_is_refused() -> None:
    assert not measuring.refused([*FOLLOWED, FEW])
    too_many = Following(1028, 4, experts=1025)
    assert "at most 1024 experts" in measuring.refused([too_many])[too_many].reason
