"""When holders meet: the first colours that are free, no GPU in two pairs at once, every pair exactly once."""

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import Prepared, prepare_shares
from tests.support.libraries import Library, NumPyArray, every_library
from tests.support.loads import thorough
from tests.support.references import sharing as reference
from tests.support.shares import Shape, drawn_plans, shapes_of_all_proportions

ONE_SHAPE = (8, 12, 4)


def _prepare(phy2log: Any, logcnt: Any, *, num_gpus: int) -> Prepared[Any]:
    return prepare_shares((phy2log, phy2log, logcnt), num_gpus)


def prepared(library: Library, phy2log: NumPyArray, shape: Shape) -> Prepared[NumPyArray]:
    none = np.zeros((len(phy2log), shape[0]), np.int64)
    found: Prepared[NumPyArray] = library.run(_prepare, phy2log, none, num_gpus=shape[2])
    return found


@every_library
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_prepared_is_what_the_reference_says(library: Library, seed: int) -> None:
    phy2log = drawn_plans(seed, 3, ONE_SHAPE)
    assert_prepared(prepared(library, phy2log, ONE_SHAPE), phy2log, ONE_SHAPE)


@thorough
@given(shape=shapes_of_all_proportions(), seed=st.integers(0, 2**32 - 1))
def test_what_is_prepared_for_many_sizes(shape: Shape, seed: int) -> None:
    phy2log = drawn_plans(seed, 2, shape)
    none = np.zeros((2, shape[0]), np.int64)
    assert_prepared(prepare_shares((phy2log, phy2log, none), shape[2]), phy2log, shape)


def assert_prepared(found: Prepared[NumPyArray], phy2log: NumPyArray, shape: Shape) -> None:
    """Holders in the order in which they choose colours, where they are, and the colours."""
    experts, replicas, gpus = shape
    for layer, slots in enumerate(phy2log.tolist()):
        held = reference.holders(slots, experts, gpus)
        assert found.colour[layer].tolist() == reference.first_colours(held)
        assert found.holders[layer].tolist() == [len(its) for its in held]
        table = found.expert[layer].reshape(replicas // gpus, gpus)
        for gpu in range(gpus):
            here = slots[gpu * len(table) : (gpu + 1) * len(table)]
            assert table[:, gpu].tolist() == [experts if e in here[:rank] else e for rank, e in enumerate(here)]
        place, first = found.place[layer], 0
        for expert in reference.turns(held):
            assert found.first[layer, expert] == first
            its = place[first : first + len(held[expert])]
            assert (table.ravel()[its] == expert).all()
            assert len(held[expert]) == 1 or (its % gpus).tolist() == held[expert]
            first += len(held[expert])


@thorough
@given(shape=shapes_of_all_proportions(), seed=st.integers(0, 2**32 - 1))
def test_every_pair_meets_once_a_round_and_no_gpu_twice_at_a_time(shape: Shape, seed: int) -> None:
    phy2log = drawn_plans(seed, 1, shape)
    held = reference.holders(phy2log[0].tolist(), shape[0], shape[2])
    first = prepare_shares((phy2log, phy2log, np.zeros((1, shape[0]))), shape[2]).colour[0].tolist()
    busy = Counter(
        (colour, gpu)
        for begin, its in zip(first, held, strict=True)
        for colour in range(begin, begin + reference.span(len(its)))
        for gpu in its
        if begin >= 0
    )
    assert set(busy.values()) <= {1}
    colours = reference.meetings(held)
    for pairs in colours:
        assert max(Counter(gpu for _, *both in pairs for gpu in both).values(), default=0) <= 1
    met = Counter(pair for pairs in colours for pair in pairs)
    assert met == Counter((e, *pair) for e, its in enumerate(held) for pair in combinations(its, 2))


@pytest.mark.parametrize(("number", "colours"), [(2, 1), (3, 3), (4, 3), (5, 5), (8, 7), (9, 9)])
def test_as_many_colours_as_a_tournament_has_turns(number: int, colours: int) -> None:
    held = [list(range(number))] * 2
    assert len(reference.meetings(held)) == 2 * colours
    phy2log = np.tile([0, 1], number)[None]
    found = prepare_shares((phy2log, phy2log, np.zeros((1, 2))), number)
    assert sorted(found.colour[0].tolist()) == [0, colours]
