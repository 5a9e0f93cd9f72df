"""Shares by native code, called by themselves, held against the once-written code."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from eplb_xp import Prepared, Shares
from eplb_xp.algorithms.sharing import prepared as preparing
from eplb_xp.algorithms.sharing import shares as once_written
from eplb_xp.backends.launching import shares_from_numpy
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from tests.support.libraries import NumPyArray
from tests.support.native import LANES, poisoned
from tests.support.shares import Batch, drawn_plans, shapes_of_all_proportions

NOT_PREPARED = "native code shares by plans of all experts, what prepare_shares made of one, and tolerances from 0 to 1"
tolerances = st.sampled_from([0.0, 2.0**-10, 0.01, 0.3, 1.0])


def native(call: Any, *arrays: Any, lanes: int = LANES[-1], **settings: Any) -> Any:
    """What native code says, which is not refused."""
    with poisoned():
        found = call(LIBRARY, *arrays, **settings, lanes=lanes)
    assert not isinstance(found, Refusal), found.reason
    return found


def assert_same(found: Any, want: Any) -> None:
    assert type(found) is type(want)
    for name, ours, theirs in zip(found._fields, found, want, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=name, strict=True)


def prepared_of(phy2log: NumPyArray, experts: int, gpus: int) -> Prepared[NumPyArray]:
    made: Prepared[NumPyArray] = LIBRARY.call(preparing.prepare, phy2log, num_experts=experts, num_gpus=gpus)
    return made


def within(tolerance: float, weight: NumPyArray) -> NumPyArray:
    return np.full((len(weight), 1), tolerance, np.float32)


def assert_both_same(batch: Batch, weight: Any, rounds: int = 64, tolerance: float = 2.0**-10) -> None:
    """Prepared or not, and in all lanes, the shares are those of the once-written code, which takes longest."""
    its, near = {"num_gpus": batch.gpus, "rounds": rounds}, within(tolerance, weight)
    want: Shares[NumPyArray] = LIBRARY.call(once_written.share_of_plan, batch.phy2log, near, weight, **its)
    prepared = prepared_of(batch.phy2log, weight.shape[1], batch.gpus)
    for lanes in LANES:
        assert_same(native(shares_from_numpy.share_of_plan, batch.phy2log, near, weight, **its, lanes=lanes), want)
        assert_same(native(shares_from_numpy.share, *prepared, near, weight, **its, lanes=lanes), want)


@st.composite
def slots_of_all_kinds(draw: st.DrawFn) -> tuple[NumPyArray, int, int]:
    """Plans, or slots that miss experts and name others, which nobody reads before where values are not read."""
    experts, replicas, gpus = draw(shapes_of_all_proportions())
    seed = draw(st.integers(0, 2**32 - 1))
    if draw(st.booleans()):
        return drawn_plans(seed, 3, (experts, replicas, gpus)), experts, gpus
    rng = np.random.default_rng(seed)
    return rng.integers(-1, experts + 2, (3, replicas)) * rng.choice([1, 1, 2**40], (3, 1)), experts, gpus
