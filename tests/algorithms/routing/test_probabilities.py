"""Probabilities: those of the reference, bit for bit, and exact sums."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Plan, Shares, probabilities
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import routing as reference
from tests.support.routing import Batch, batches, rows
from tests.support.shares import shapes_of_all_proportions


def expected(shares: Shares[NumPyArray], plan: Plan[NumPyArray]) -> NumPyArray:
    found = [reference.probabilities(*its) for its in rows((shares.share, plan.log2phy, plan.logcnt))]
    return np.reshape(np.array(found, np.float32), plan.log2phy.shape)


@every_library
@given(batch=batches([(6, 12, 4)]), many=st.sampled_from([1, 1000, 2**22]))
def test_probabilities_are_those_of_the_reference(library: Library, batch: Batch, many: int) -> None:
    shares = batch.shares._replace(share=np.minimum(batch.shares.share, 20).astype(np.int32) * np.int32(many))
    found = library.run(probabilities, shares, batch.plan)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected(shares, batch.plan))


@thorough
@given(data=st.data(), most=st.sampled_from([2, 100, 10**5, 2**26]))
def test_parts_of_many_sizes_add_up_to_one(data: st.DataObject, most: int) -> None:
    shares, plan, _ = data.draw(batches([data.draw(shapes_of_all_proportions())], layers=2, most=most))
    found = probabilities(shares, plan)
    np.testing.assert_array_equal(found, expected(shares, plan))
    np.testing.assert_array_equal(found.sum(axis=-1), 1)
    for layer, expert in np.ndindex(plan.logcnt.shape):
        slots = plan.log2phy[layer, expert, : plan.logcnt[layer, expert]]
        share = shares.share[layer, slots]
        share = share if share.any() else share + 1
        for part, tokens in zip(found[layer, expert], share, strict=False):
            assert abs(Fraction(float(part)) - Fraction(int(tokens), int(share.sum()))) < Fraction(1, 2**21)
            assert tokens > 0 or part == 0
