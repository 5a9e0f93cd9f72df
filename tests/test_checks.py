"""Bad input: an error that says what was given and what would work, from every function and library."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eplb_xp import (
    Policy,
    balanced_packing,
    check_loads,
    evaluate,
    rebalance_experts,
    rebalance_experts_hierarchical,
    replicate_experts,
)
from libraries import LIBRARIES, NUMPY, Jit, Library, NumPyArray, every_library, over
from loads import thorough

WEIGHT = np.array([[9, 4, 3, 2], [1, 6, 5, 7]], np.float32)
PHY2LOG = np.array([[0, 1, 0, 2, 3, 2]] * 2)


class Call(NamedTuple):
    """A public function with sizes that fit ``WEIGHT``."""

    function: Callable[..., Any]
    sizes: dict[str, Any]
    first: tuple[Any, ...] = ()  # what goes before the loads

    def run(self, library: Library, weight: Any = WEIGHT, **changed: Any) -> Any:
        return library.run(self.function, *self.first, weight, **(self.sizes | changed))


SIZES = {"num_groups": 2, "num_nodes": 2, "num_gpus": 2}
CALLS = {
    "rebalance": Call(rebalance_experts, {"num_replicas": 6, **SIZES}),
    "hierarchical": Call(rebalance_experts_hierarchical, {"num_physical_experts": 6, **SIZES}),
    "packing": Call(balanced_packing, {"num_packs": 2}),
    "replication": Call(replicate_experts, {"num_phy": 6}),
    "evaluation": Call(evaluate, {"num_gpus": 2}, ((PHY2LOG, PHY2LOG, PHY2LOG),)),
    "check": Call(check_loads, {}),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
every_call_but_check = pytest.mark.parametrize("call", list(CALLS.values())[:-1], ids=list(CALLS)[:-1])

# Sizes are checked by the same code whatever the library: with values in hand, and while they are traced.
in_hand_or_traced = over([NUMPY, Jit("jax-jit")])


@every_library
@every_call
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (WEIGHT[0], ValueError, r"\[layers, (experts|items)\], got shape \(4,\)"),
        (WEIGHT[None], ValueError, r"\[layers, (experts|items)\], got shape \(1, 2, 4\)"),
        (WEIGHT[:, :0], ValueError, r"at least one of (experts|items), got shape \(2, 0\)"),
        (WEIGHT > 5, TypeError, "weight must be of integers or real floats, got dtype .*bool"),
        (WEIGHT.astype(np.complex64), TypeError, "weight must be of integers or real floats, got dtype .*complex64"),
    ],
    ids=["one dimension", "three dimensions", "no experts", "bool", "complex"],
)
def test_arrays_that_are_no_loads(
    library: Library, call: Call, weight: NumPyArray, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call.run(library, weight)


@every_call
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (WEIGHT.tolist(), "weight must be an array of NumPy.* got list; numpy.asarray makes one"),
        (None, "weight must be an array of NumPy.* got NoneType"),
        (3.0, "weight must be an array of NumPy.* got float"),
        ("load", "weight must be an array of NumPy.* got str"),
        (WEIGHT.astype(str), "got dtype <U32"),
        (WEIGHT.astype(object), "got dtype object"),
        (WEIGHT.astype("timedelta64[s]"), r"got dtype timedelta64\[s\]"),
    ],
    ids=["list", "none", "number", "text", "strings", "objects", "times"],
)
def test_what_is_no_array_of_numbers(call: Call, weight: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call.function(*call.first, weight, **call.sizes)


@every_library
@every_call_but_check
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -3.5])
def test_values_that_are_no_token_counts(library: Library, call: Call, value: float) -> None:
    weight = WEIGHT.copy()
    weight[1, 2] = value
    if library.reads_values:
        with pytest.raises(
            ValueError, match=rf"1 load that is NaN, infinite or negative, the first {value} at \[1, 2\]"
        ):
            call.run(library, weight)
        weight[1, 0] = value
        with pytest.raises(ValueError, match=rf"2 loads that are .* the first {value} at \[1, 0\]"):
            call.run(library, weight)
    else:  # reading would make the host wait: the load counts as zero
        zero = np.where(weight == WEIGHT, weight, 0)
        for got, want in zip(call.run(library, weight), call.run(NUMPY, zero), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-6)


@every_library
@pytest.mark.parametrize("value", [np.nan, -3.5, None])
def test_check_loads_reads_every_array_that_has_values(library: Library, value: float | None) -> None:
    weight = WEIGHT if value is None else np.where(WEIGHT == 5, np.float32(value), WEIGHT)
    if isinstance(library, Jit):
        with pytest.raises(TypeError, match=r"traced.* call check_loads outside"):
            library.run(check_loads, weight)
    elif value is None:
        assert library.run(check_loads, weight) is None
    else:
        with pytest.raises(ValueError, match=r"at \[1, 2\]"):
            library.run(check_loads, weight)


@over(library for library in LIBRARIES if "float64" in library.dtypes)
@every_call
def test_loads_above_the_largest_float32(library: Library, call: Call) -> None:
    if library.reads_values:
        with pytest.raises(ValueError, match=r"above the largest float32, 3.403e\+38, the first 1e\+39 at \[0, 0\]"):
            call.run(library, WEIGHT.astype(np.float64) * np.array([[1e39 / 9], [1]]))
    call.run(library, np.full(WEIGHT.shape, np.finfo(np.float32).max, np.float64))


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


@in_hand_or_traced
@pytest.mark.parametrize("name", ["rebalance", "hierarchical", "packing"])
@pytest.mark.parametrize(
    ("policy", "error", "message"),
    [
        ("best", ValueError, "policy 'best' is not known; the names are 'greedy'"),
        (3, TypeError, "policy must be a name or a Policy, got 3 of type int; the names are 'greedy'"),
        (None, TypeError, "policy must be a name or a Policy, got None of type NoneType"),
    ],
    ids=["unknown", "number", "none"],
)
def test_policies_that_are_none(library: Library, name: str, policy: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CALLS[name].run(library, policy=policy)


@in_hand_or_traced
@pytest.mark.parametrize("name", ["rebalance", "hierarchical", "packing"])
def test_a_policy_is_a_name_or_a_policy(library: Library, name: str) -> None:
    call = CALLS[name]
    for one, other in zip(call.run(library, policy="greedy"), call.run(library, policy=Policy("greedy")), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("max_replicas", "error", "message"),
    [
        (2, ValueError, "policy 'greedy' can't .* got max_replicas=2: leave it out"),
        (0, ValueError, "max_replicas must be at least 1, got 0"),
        (2.5, TypeError, "max_replicas must be a positive integer, got 2.5 of type float"),
    ],
)
def test_greedy_can_not_cap_its_counts(max_replicas: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CALLS["rebalance"].run(NUMPY, max_replicas=max_replicas)
