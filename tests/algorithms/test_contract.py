"""The algorithms ask of a library only what its seams promise."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import POLICIES, evaluate, probabilities, quotas, rebalance_experts, route
from eplb_xp.algorithms import evaluation
from eplb_xp.algorithms.placement import IDLE_LOAD
from eplb_xp.algorithms.routing import probabilities as parts
from eplb_xp.algorithms.routing import quotas as division
from eplb_xp.algorithms.routing.route import route_by_quota, route_in_turn
from eplb_xp.backends.numpy import LIBRARY as NUMPY
from eplb_xp.backends.numpy import NumPy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array
from tests.support.libraries import NumPyArray
from tests.support.loads import weights
from tests.support.plans import assert_same
from tests.support.routing import Batch, batches

# layers, experts, then replicas, groups, nodes, GPUs
SHAPES = [
    ((3, 8), (12, 4, 2, 4)),
    ((3, 8), (12, 1, 1, 4)),
    ((2, 3), (60, 1, 1, 2)),
]


class Demanding(NumPy):
    """NumPy that takes nothing but what the standard and each seam say they take."""

    reversed = False

    def divide(self, w: Array, n: Array) -> Array:
        assert w.dtype == n.dtype == np.float32
        assert w.shape == n.shape
        assert ((w == 0) | ((w >= IDLE_LOAD / 4096) & (w < 2))).all()
        assert ((n >= 1) & (n <= 4096) & (n == np.floor(n))).all()
        return super().divide(w, n)

    def reciprocal_of_binade(self, x: Array) -> Array:
        assert x.dtype == np.float32
        assert ((x >= 2.0**-125) & (x < 2.0**126)).all()
        return super().reciprocal_of_binade(x)

    def take(self, x: Array, indices: Array, *, axis: int) -> Array:
        assert indices.ndim == 1
        assert ((indices >= 0) & (indices < x.shape[axis])).all()
        return super().take(x, indices, axis=axis)

    def take_along_axis(self, x: Array, indices: Array) -> Array:
        assert x.ndim == indices.ndim == 2
        assert len(x) == len(indices)
        assert ((indices >= 0) & (indices < x.shape[1])).all()
        return super().take_along_axis(x, indices)

    def put_along_axis(self, x: Array, indices: Array, values: Array) -> Array:
        assert x.ndim == indices.ndim == values.ndim == 2
        assert len(x) == len(indices)
        assert indices.shape == values.shape
        assert ((indices >= 0) & (indices < x.shape[1])).all()
        last = super().put_along_axis(x, indices, values)
        # Where an index occurs twice, the first value is as good as the last.
        return NUMPY.put_along_axis(x, indices[:, ::-1], values[:, ::-1]) if self.reversed else last

    def sort_rows(self, key: Array, tag: Array, *, descending: bool = False) -> tuple[Array, Array]:
        assert key.dtype == np.float32
        assert (key >= 0).all()
        assert not np.signbit(key).any()
        assert ((tag >= 0) & (tag < 2**31)).all()
        ordered = np.sort(tag, axis=1)
        assert (ordered[:, 1:] > ordered[:, :-1]).all(), "a tag occurs twice"
        return super().sort_rows(key, tag, descending=descending)


LIBRARY = Demanding()


@pytest.fixture(autouse=True, scope="module")
def demanding() -> Any:
    """Every NumPy array is of the demanding library."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eplb_xp.backends.numpy.LIBRARY", LIBRARY)
        yield


@pytest.mark.parametrize("policy", POLICIES)
@given(data=st.data())
def test_plans_and_reports_keep_to_the_seams(policy: str, data: st.DataObject) -> None:
    shape, sizes = data.draw(st.sampled_from(SHAPES))
    weight: NumPyArray = data.draw(weights(shape))
    plan = rebalance_experts(weight, *sizes, policy=policy)
    evaluate(plan, weight, sizes[3], num_groups=sizes[1], num_nodes=sizes[2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LIBRARY, "reversed", True)
        assert_same(rebalance_experts(weight, *sizes, policy=policy), plan)


def test_a_layer_that_is_packed_before_another_keeps_to_the_seams() -> None:
    rebalance_experts(np.array([[5.0] * 8, [2.0**-index for index in range(8)]]), 8, 1, 1, 2)


def test_a_report_of_a_plan_that_is_not_read_divides_by_no_zero() -> None:
    phy2log = np.array([[1, 1, 2, 2]])  # no expert 0
    got = LIBRARY.call(evaluation.report, phy2log, np.array([[9, 4, 3]]), sizes=Sizes(4, 1, 1, 2))
    np.testing.assert_array_equal(got.gpu_load, [[4, 3]])


@given(batch=batches([(6, 12, 4), (5, 12, 6)]), rank=st.integers(0, 3))
def test_routes_keep_to_the_seams(batch: Batch, rank: int) -> None:
    experts = np.nonzero(batch.counts[0])[1][:, None]

    def routed() -> list[NumPyArray]:
        plan, quota = [x[0] for x in batch.plan], quotas(*batch, num_nodes=2, rank=rank)
        slots = route(experts, plan), route(experts, plan, quota[0])
        return [quota, quotas(*batch), probabilities(*batch[:2]), *slots]

    found = routed()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LIBRARY, "reversed", True)
        for ours, theirs in zip(routed(), found, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_not_read_is_not_looked_up_where_nothing_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    share, phy2log = rng.integers(-9, 99, (2, 12)), rng.integers(-9, 99, (2, 12))
    log2phy, logcnt = rng.integers(-9, 99, (2, 6, 7)), rng.integers(-9, 99, (2, 6))
    counts, rank = rng.integers(-9, 99, (2, 4, 6)), rng.integers(-9, 99, (2, 1))
    arrays = share, phy2log, log2phy, logcnt
    LIBRARY.call(division.quotas, *arrays, counts, num_nodes=2)
    LIBRARY.call(division.quotas_of_rank, rank, *arrays, counts, num_nodes=2)
    LIBRARY.call(parts.probabilities, *arrays)
    experts, quota = rng.integers(-9, 99, (2, 9, 2)), rng.integers(-9, 99, (2, 6, 7))
    for step, more in ((route_in_turn, ()), (route_by_quota, (quota,))):
        (slot,) = LIBRARY.call(step, *more, log2phy, logcnt, rng.integers(-9, 99, (2, 6)), experts)
        assert (slot[(experts < 0) | (experts >= 6)] == -1).all()
