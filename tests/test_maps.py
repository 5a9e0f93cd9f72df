"""logical_maps and expert_loads: what is refused and why, widths, and arrays of one library."""

from typing import Any

import numpy as np
import pytest

from eplb_xp import expert_loads, logical_maps
from tests.support.libraries import LIBRARIES, Library, every_library
from tests.support.other_libraries import Jit
from tests.support.references import slots as reference

PHY2LOG = np.array([[2, 0, -1, 2, 3, 2], [0, 1, 2, 3, 1, 0]], np.int32)
LOAD = np.array([[30, 10, 7, 20, 5, 40], [1, 2, 3, 4, 5, 6]], np.int32)
mapping: Any = logical_maps  # with what type checkers refuse
folding: Any = expert_loads


def mapped(phy2log: Any, *, width: int) -> Any:
    return logical_maps(phy2log, 4, width)


@every_library
def test_slots_beyond_the_width(library: Library) -> None:
    if library.reads_values:
        with pytest.raises(ValueError, match="width must be at least 3, the slots of expert 2 in layer 0, got 2"):
            library.run(mapped, PHY2LOG, width=2)
    else:
        for ours, theirs in zip(library.run(mapped, PHY2LOG, width=2), reference.listed(PHY2LOG, 4, 2), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(library.run(mapped, PHY2LOG, width=9), reference.listed(PHY2LOG, 4, 9), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_entries_that_are_not_read_and_not_there_are_empty_slots() -> None:
    library = Jit("jax-jit")
    others = np.where(PHY2LOG == 1, 4, np.where(PHY2LOG == 3, -7, PHY2LOG)).astype(np.int32)
    for ours, theirs in zip(library.run(mapped, others, width=3), reference.listed(others, 4, 3), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for load in (LOAD, LOAD.astype(np.float32)):
        found = library.run(expert_loads, load, others, num_experts=4)
        np.testing.assert_array_equal(found, reference.summed(load, others, 4))


def test_default_widths() -> None:
    assert logical_maps(PHY2LOG, 4)[0].shape == (2, 4, 3)
    assert logical_maps(np.array([[0, 7, -1]]), 8)[0].shape == (1, 8, 1)
    with pytest.raises(ValueError, match="at least 2, the slots of expert 7 in layer 1, by default it is 1"):
        logical_maps(np.array([[0, 7, -1], [7, 0, 7]]), 8)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"phy2log": PHY2LOG.tolist()}, TypeError, "phy2log must be an array of NumPy"),
        ({"phy2log": PHY2LOG * 1.0}, TypeError, "phy2log must be of integers, got dtype float64"),
        ({"phy2log": PHY2LOG[0]}, ValueError, r"phy2log must have shape \[layers, replicas\], got \(6,\)"),
        ({"phy2log": PHY2LOG[:, :0]}, ValueError, r"phy2log must have at least one slot, got shape \(2, 0\)"),
        (
            {"phy2log": PHY2LOG - 1},
            ValueError,
            r"not there: -2 at \[0, 2\], experts are 0 to 3, and -1 where a slot is",
        ),
        (
            {"num_experts": 3},
            ValueError,
            r"phy2log names an expert that is not there: 3 at \[0, 4\], experts are 0 to 2",
        ),
        ({"num_experts": 0}, ValueError, "num_experts must be at least 1, got 0"),
        ({"num_experts": 4.0}, TypeError, r"num_experts must be a positive integer, got 4\.0"),
    ],
)
def test_what_is_no_placement(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    given = {"phy2log": PHY2LOG, "num_experts": 4} | changed
    with pytest.raises(error, match=message):
        mapping(**given)
    with pytest.raises(error, match=message if "array of" not in message else "phy2log"):
        folding(LOAD, **given)


@pytest.mark.parametrize(
    ("load", "error", "message"),
    [
        (LOAD.tolist(), TypeError, "slot_load must be an array of NumPy"),
        (LOAD * 1j, TypeError, "slot_load must be of integers or real floats, got dtype complex128"),
        (LOAD > 9, TypeError, "slot_load must be of integers or real floats, got dtype bool"),
        (LOAD[0], ValueError, r"\[layers, replicas\], of phy2log \(2, 6\), or steps in front of it, got \(6,\)"),
        (LOAD[:, :5], ValueError, r"slot_load must have shape .*, got \(2, 5\)"),
        (LOAD[None, None], ValueError, r"slot_load must have shape .*, got \(1, 1, 2, 6\)"),
    ],
)
def test_what_are_no_loads(load: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        folding(load, PHY2LOG, 4)


@pytest.mark.parametrize("width", [0, -3, 1.5])
def test_what_is_no_width(width: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="width must be"):
        mapping(PHY2LOG, 4, width)


def test_arrays_must_be_of_one_library() -> None:
    for library in LIBRARIES:
        if library.array is not np.ndarray and library.reads_values and library.name != "jax-vmap":
            for arrays in ((LOAD, library.asarray(PHY2LOG)), (library.asarray(LOAD), PHY2LOG)):
                with pytest.raises(TypeError, match="all arrays must be of the same library"):
                    folding(*arrays, 4)


def everything(phy2log: Any, load: Any) -> Any:
    return *logical_maps(phy2log, 4), expert_loads(load, phy2log, 4), expert_loads(phy2log, phy2log, 4)


@every_library
def test_no_layers(library: Library) -> None:
    none = np.zeros((0, 6), np.int32)
    found = library.run(everything, none, none.astype(np.float32))
    assert [x.shape for x in found] == [(0, 4, 3), (0, 4), (0, 4), (0, 4)]
