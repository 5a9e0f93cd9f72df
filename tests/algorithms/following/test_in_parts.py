"""A plan within a large budget in two steps, of which a kernel may take the first."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import POLICIES, rebalance_experts
from eplb_xp.algorithms.following import follow
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.sizes import check_sizes
from tests.support.following import NEAR, Case, Sizes, cases
from tests.support.plans import assert_same

SIZES: dict[str, tuple[Sizes, int, int | None]] = {
    "global": ((12, 1, 1, 4), 8, None),
    "on nodes": ((12, 4, 2, 4), 8, 3),
    "few GPUs": ((6, 1, 1, 2), 5, None),
}
half = settings(max_examples=-(-settings().max_examples // 2))


@half
@given(data=st.data(), min_gain=st.sampled_from([0.0, 0.0, 0.1, 0.5]))
@pytest.mark.parametrize("name", SIZES)
def test_a_search_and_what_comes_after_it_are_the_whole(name: str, data: st.DataObject, min_gain: float) -> None:
    sizes, experts, most = SIZES[name]
    case: Case = data.draw(cases((3, 1, experts), sizes, most, most_moves=sizes[0]))
    fresh = rebalance_experts(case.weight[:, 0], *sizes, policy="swap", max_replicas=most).phy2log
    budget, least = case.budget[:, None].astype(np.int64), np.full((3, 1), min_gain, np.float32)
    its: dict[str, Any] = {
        "sizes": replace(check_sizes(experts, *sizes), max_replicas=most),
        "policy": POLICIES["swap"],
        "divides": True,
        **NEAR,
    }
    whole = follow.follow_or_renew(LIBRARY, case.previous, budget, least, fresh, case.weight, **its)
    found = follow.follow(LIBRARY, case.previous, budget, least * 0, case.weight, **its)
    given_on = (case.previous, budget, least, fresh, found.phy2log, case.weight)
    assert_same(follow.or_renewed(LIBRARY, *given_on, **its), whole)
