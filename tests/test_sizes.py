"""Bad sizes and policies: an error that says what was given and what would work, from every function."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eplb_xp import rebalance_experts
from tests.support.calls import CALLS, Call, every_call_but_check, in_hand_or_traced
from tests.support.libraries import NUMPY, Library
from tests.support.loads import thorough

# Every size of every function.
NAMES = [(call, name) for call in CALLS.values() for name in call.sizes] + [
    (CALLS["evaluation"], "num_groups"),
    (CALLS["evaluation"], "num_nodes"),
]
BAD_VALUES = [
    (0, ValueError, "must be at least 1, got 0"),
    (-2, ValueError, "must be at least 1, got -2"),
    (2.0, TypeError, "must be a positive integer, got 2.0 of type float"),
    (True, TypeError, "must be a positive integer, got True of type bool"),
    ("2", TypeError, "must be a positive integer, got '2' of type str"),
    (None, TypeError, "must be a positive integer, got None of type NoneType"),
]


@in_hand_or_traced
@pytest.mark.parametrize(("call", "name"), NAMES, ids=[f"{call.function.__name__}-{name}" for call, name in NAMES])
@pytest.mark.parametrize("bad", BAD_VALUES, ids=[repr(value) for value, _, _ in BAD_VALUES])
def test_sizes_that_are_no_positive_integers(
    library: Library, call: Call, name: str, bad: tuple[Any, type[Exception], str]
) -> None:
    value, error, message = bad
    with pytest.raises(error, match=f"{name} {message}"):
        call.run(library, **{name: value})


@every_call_but_check
def test_sizes_may_be_integers_of_numpy(call: Call) -> None:
    with_numpy = call.run(NUMPY, **{name: np.int32(size) for name, size in call.sizes.items()})
    for got, want in zip(with_numpy, call.run(NUMPY), strict=True):
        np.testing.assert_array_equal(got, want)


def advice(message: str) -> list[int]:
    """The sizes that a message says would work."""
    found = re.search(r"nearest[^:]*: (\d+)(?: or (\d+))?$", message)
    assert found, message
    return [int(size) for size in found.groups() if size]


BAD_SIZES = [
    ("rebalance", {"num_replicas": 7}, "num_replicas", "7 is not a multiple of 2", [6, 8]),
    ("rebalance", {"num_replicas": 2}, "num_replicas", "2 for 4 experts is not", [4]),
    ("rebalance", {"num_replicas": 3}, "num_replicas", "3 for 4 experts is not", [4]),
    ("rebalance", {"num_replicas": 5000}, "num_replicas", "5000 for 4 experts is not", [4096]),
    ("rebalance", {"num_groups": 6}, "num_groups", "6 does not divide 4", [4]),
    ("rebalance", {"num_groups": 8, "num_nodes": 1}, "num_groups", "8 does not divide 4", [4]),
    ("rebalance", {"num_groups": 3, "num_nodes": 1}, "num_groups", "3 does not divide 4", [2, 4]),
    ("rebalance", {"num_gpus": 3}, "num_gpus", "3 is not a multiple of 2", [2, 6]),
    ("rebalance", {"num_gpus": 1}, "num_gpus", "1 is not a multiple of 2", [2]),
    ("hierarchical", {"num_physical_experts": 7}, "num_physical_experts", "7 is not a multiple of 2", [6, 8]),
    ("hierarchical", {"num_physical_experts": 2}, "num_physical_experts", "2 for 4 experts is not", [4]),
    ("hierarchical", {"num_groups": 3}, "num_groups", "3 is not a multiple of 2", [2, 4]),
    ("hierarchical", {"num_groups": 1}, "num_groups", "1 is not a multiple of 2", [2]),
    ("hierarchical", {"num_groups": 6}, "num_groups", "6 does not divide 4", [4]),
    ("hierarchical", {"num_gpus": 3}, "num_gpus", "3 is not a multiple of 2", [2, 6]),
    ("packing", {"num_packs": 3}, "num_packs", "3 does not divide 4", [2, 4]),
    ("packing", {"num_packs": 8}, "num_packs", "8 does not divide 4", [4]),
    ("replication", {"num_phy": 3}, "num_phy", "3 for 4 experts is not", [4]),
    ("replication", {"num_phy": 4098}, "num_phy", "4098 for 4 experts is not", [4097]),
    ("evaluation", {"num_gpus": 3, "num_groups": 2, "num_nodes": 2}, "num_gpus", "3 is not a multiple of 2", [2, 6]),
    ("evaluation", {"num_groups": 3}, "num_groups", "3 does not divide 4", [2, 4]),
    ("evaluation", {"num_groups": 8, "num_nodes": 2}, "num_groups", "8 does not divide 4", [4]),
]


@in_hand_or_traced
@pytest.mark.parametrize(("name", "sizes", "message", "works"), [(*bad[:2], *bad[3:]) for bad in BAD_SIZES])
def test_sizes_that_do_not_fit(
    library: Library, name: str, sizes: dict[str, int], message: str, works: list[int]
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        CALLS[name].run(library, **sizes)
    assert advice(str(caught.value)) == works


@pytest.mark.parametrize(("name", "sizes", "size", "works"), [(*bad[:3], bad[4]) for bad in BAD_SIZES])
def test_the_sizes_that_an_error_names_work(name: str, sizes: dict[str, int], size: str, works: list[int]) -> None:
    call = CALLS[name]
    for better in works:
        call.run(NUMPY, **(sizes | {size: better}))


def fits(experts: int, replicas: int, groups: int, nodes: int, gpus: int) -> bool:
    """Whether there is a hierarchical or, where groups don't divide over nodes, a global plan."""
    even = replicas >= experts and replicas % gpus == 0
    return even and (groups % nodes != 0 or (experts % groups == 0 and gpus % nodes == 0))


@thorough
@given(data=st.data())
def test_an_error_names_the_nearest_sizes_that_work(data: st.DataObject) -> None:
    names = ("num_replicas", "num_groups", "num_nodes", "num_gpus")
    # Sizes that fit together, then one of them changed.
    few = st.integers(1, 4)
    nodes, groups_per_node, experts_per_group, gpus_per_node, more_slots = (data.draw(few) for _ in range(5))
    groups, gpus = nodes * groups_per_node, nodes * gpus_per_node
    experts = groups * experts_per_group
    good = dict(zip(names, (gpus * (experts // gpus + more_slots), groups, nodes, gpus), strict=True))
    sizes = good | {data.draw(st.sampled_from(names)): data.draw(st.integers(1, 40))}
    weight = np.ones((1, experts), np.float32)
    if fits(experts, *sizes.values()):
        rebalance_experts(weight, *sizes.values())
        return
    with pytest.raises(ValueError, match="num_") as caught:
        rebalance_experts(weight, *sizes.values())
    name = str(caught.value).split()[0]
    works = [size for size in range(1, 200) if fits(experts, *(sizes | {name: size}).values())]
    if name == "num_groups":  # others work too, but as if there were no groups
        works = [size for size in works if size % sizes["num_nodes"] == 0]
    assume(works)  # else another size has to change as well, and the next error names it
    below, above = [size for size in works if size < sizes[name]], [size for size in works if size > sizes[name]]
    assert advice(str(caught.value)) == below[-1:] + above[:1]


def test_numbers_of_groups_are_named_that_divide_over_the_nodes_too() -> None:
    with pytest.raises(ValueError, match="8 does not divide 12; nearest: 4 or 12"):  # not 6
        rebalance_experts(np.ones((1, 12)), 12, 8, 4, 4)
