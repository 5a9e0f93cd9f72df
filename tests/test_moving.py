"""moves: what is refused and why, what it takes for plans, and transfers in bytes."""

from typing import Any

import numpy as np
import pytest

from eplb_xp import Plan, logical_maps, moves
from tests.support.changes import Change, moved
from tests.support.libraries import LIBRARIES, NUMPY, Library, each, over
from tests.support.other_libraries import Jit

PREVIOUS = np.array([[0, 1, 2, 3, 0, 4], [0, 1, 2, 3, -1, 4]], np.int32)
PHY2LOG = np.array([[1, 0, 0, 3, 4, 5], [4, 1, 2, 0, 1, 3]], np.int32)
MANY = PHY2LOG.copy()
MANY[1, 2] = 6
FOUND = moves(PREVIOUS, PHY2LOG, 3)
moving: Any = moves  # with what type checkers refuse


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"plan": PHY2LOG.tolist()}, TypeError, "plan must be an array of NumPy"),
        ({"previous": PREVIOUS.tolist()}, TypeError, "previous must be an array of NumPy"),
        ({"plan": PHY2LOG * 1.0}, TypeError, "plan must be of integers, got dtype float64"),
        ({"previous": PREVIOUS > 1}, TypeError, "previous must be of integers, got dtype bool"),
        ({"plan": PHY2LOG[0]}, ValueError, r"plan must have shape \[layers, replicas\], got \(6,\)"),
        (
            {"previous": PREVIOUS[:, :4]},
            ValueError,
            r"previous must have shape \[layers, replicas\] with 2 layers, 6 replicas, got \(2, 4\)",
        ),
        ({"previous": PREVIOUS[:1]}, ValueError, r"with 2 layers, 6 replicas, got \(1, 6\)"),
        ({"previous": PREVIOUS[:, :0], "plan": PHY2LOG[:, :0]}, ValueError, r"at least one slot, got shape \(2, 0\)"),
        ({"plan": MANY}, ValueError, r"plan names an expert that is not there: 6 at \[1, 2\], experts are 0 to 5$"),
        ({"plan": PREVIOUS}, ValueError, r"plan names an expert that is not there: -1 at \[1, 4\], experts are 0 to 5"),
        ({"previous": PREVIOUS - 1}, ValueError, r"previous names .*: -2 at \[1, 4\], .* 5, and -1 where a slot is e"),
        ({"previous": MANY}, ValueError, r"previous names an expert that is not there: 6 at \[1, 2\]"),
        ({"num_gpus": 4}, ValueError, "num_gpus must divide the slots of the plan: 4 does not divide 6; .*=3 or 6"),
        ({"num_gpus": 0}, ValueError, "num_gpus must be at least 1, got 0"),
        ({"num_gpus": 2.0}, TypeError, r"num_gpus must be a positive integer, got 2\.0"),
        ({"num_nodes": 2}, ValueError, "num_nodes must divide num_gpus: 2 does not divide 3; .* num_nodes=1 or 3"),
        ({"num_nodes": -1}, ValueError, "num_nodes must be at least 1, got -1"),
        ({"gpus_per_node": 2}, ValueError, "gpus_per_node must divide num_gpus: 2 does not divide 3; .*=1 or 3"),
        ({"gpus_per_node": 3, "num_nodes": 3}, ValueError, "3 GPUs on num_nodes=3 are 1 a node, got gpus_per_node=3"),
        ({"ep_size": 3}, TypeError, "takes no ep_size: pass it as num_gpus"),
    ],
)
def test_what_is_not_moved(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        moving(**({"previous": PREVIOUS, "plan": PHY2LOG, "num_gpus": 3} | changed))


def test_plans_and_any_tuple_that_begins_with_one() -> None:
    plan = Plan(PHY2LOG, *logical_maps(PHY2LOG, 6, 2))
    for previous, new in (((PREVIOUS,), plan), (Plan(PREVIOUS, PREVIOUS, PREVIOUS), PHY2LOG), (PREVIOUS, (PHY2LOG, 0))):
        for ours, theirs in zip(moving(previous, new, 3), FOUND, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["int8", "uint8", "int32", "uint64"])
def test_plans_of_any_integers(name: str) -> None:
    for ours, theirs in zip(moves(PREVIOUS[:1].astype(name), PHY2LOG[:1].astype(name), 3), FOUND, strict=True):
        np.testing.assert_array_equal(ours, theirs[:1])


def test_arrays_must_be_of_one_library() -> None:
    for library in LIBRARIES:
        if library.array is not np.ndarray and library.reads_values and library.name != "jax-vmap":
            for arrays in ((PREVIOUS, library.asarray(PHY2LOG)), (library.asarray(PREVIOUS), PHY2LOG)):
                with pytest.raises(TypeError, match="all arrays must be of the same library"):
                    moving(*arrays, 3)


def test_entries_that_are_not_read_and_not_there() -> None:
    library = Jit("jax-jit")
    previous = np.where(PREVIOUS < 0, [[7], [-5]], PREVIOUS).astype(np.int32)
    for ours, theirs in zip(
        moved(library, Change(previous, MANY, 3, 1)), moves(PREVIOUS, np.minimum(MANY, 5), 3), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    beyond = np.where(PREVIOUS == 1, 2**30, PREVIOUS).astype(np.int32)
    without = moves(np.where(PREVIOUS == 1, -1, PREVIOUS), PHY2LOG, 3)
    for ours, theirs in zip(moved(library, Change(beyond, PHY2LOG, 3, 1)), without, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# Batches of moves are none.
@over(library for library in LIBRARIES if library.name != "jax-vmap")
def test_bytes_of_every_library(library: Library) -> None:
    layers = 200
    previous, phy2log = (np.tile(x, (layers, 1)) for x in (PREVIOUS, PHY2LOG))
    size = 44_040_192
    found = moved(library, Change(previous, phy2log, 3, 3))
    got = each(library.asarray, found).bytes(size)
    assert isinstance(got.total, int)
    assert got.total == size * int(found.received.sum()) > 2**33
    for name in ("received", "sent", "sent_across"):
        number = getattr(got, name)
        assert number.dtype == np.int64
        np.testing.assert_array_equal(number, size * getattr(found, name).sum(axis=0))
    buffered = found.buffered.reshape(2 * layers, 3, 2).sum(axis=2)
    np.testing.assert_array_equal(got.buffered, size * buffered.max(axis=0))


def test_what_are_no_bytes() -> None:
    its: Any = FOUND
    with pytest.raises(ValueError, match="expert_bytes must be at least 1, got 0"):
        its.bytes(0)
    with pytest.raises(TypeError, match=r"expert_bytes must be a positive integer, got 4\.5"):
        its.bytes(4.5)


def test_bytes_of_no_layers() -> None:
    none = moved(NUMPY, Change(PREVIOUS[:0], PHY2LOG[:0], 3, 1)).bytes(7)
    assert none.total == 0
    assert none.buffered.tolist() == none.sent.tolist() == [0, 0, 0]
