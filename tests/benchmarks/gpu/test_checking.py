"""Plans on a GPU are compared with NumPy's, and a wrong one is told with its case."""

from functools import partial

import numpy as np
import pytest

from benchmarks.gpu import by_torch
from benchmarks.gpu.checking import WrongPlanError, check, difference
from benchmarks.gpu.loads import timed
from eplb_xp import Plan
from tests.support.gpu_benchmark import SMALL, broken, on_host


@pytest.mark.parametrize("name", Plan._fields)
def test_a_wrong_plan_is_told_with_its_case(name: str) -> None:
    check(SMALL, 5, on_host)
    with pytest.raises(WrongPlanError, match=f"^swap global, 3 x 8, 12 / 4: {name} of layer 2 .small integers.*seed 5"):
        check(SMALL, 5, partial(broken, name, 2))


def test_plans_differ_in_shape_and_dtype_too() -> None:
    made = on_host(SMALL, timed(3, 8)[0])
    assert difference(made, made) is None
    assert difference(made._replace(log2phy=made.log2phy[..., :-1]), made) == ("log2phy", 0)
    assert difference(made._replace(logcnt=made.logcnt.astype(np.int32)), made) == ("logcnt", 0)


def test_tensors_are_planned_for_as_arrays_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_torch, "DEVICE", "cpu")
    check(SMALL, 0, by_torch.made)
    sets = timed(3, 8)
    slots = np.stack([on_host(SMALL, load).phy2log for load in sets])
    np.testing.assert_array_equal(by_torch.phy2log(SMALL, sets), slots)
