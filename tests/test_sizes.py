"""Bad sizes and policies: an error that says what was given and what would work, from every function."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eplb_xp import rebalance_experts
from eplb_xp.fitting import Asked, Rules
from eplb_xp.sizes import check_sizes
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


def advice(message: str) -> dict[str, list[int]]:
    """The sizes that a message says would work, each alone, by their names."""
    found = re.search(r"; nearest that work: (.*)$", message)
    assert found, message
    return {
        name: list(map(int, sizes.split(" or "))) for name, sizes in re.findall(r"(\w+)=(\d+(?: or \d+)?)", found[1])
    }


BAD_SIZES = [
    ("rebalance", {"num_replicas": 7}, "num_replicas must be a multiple of num_gpus: 7", {"num_replicas": [6, 8]}),
    ("rebalance", {"num_replicas": 2}, "2 for 4 experts is not", {"num_replicas": [4]}),
    ("rebalance", {"num_replicas": 3}, "3 for 4 experts is not", {"num_replicas": [4]}),
    ("rebalance", {"num_replicas": 0}, "num_replicas must be at least 1, got 0", {"num_replicas": [4]}),
    ("rebalance", {"num_replicas": 5000}, "5000 for 4 experts is not", {"num_replicas": [4096]}),
    ("rebalance", {"num_groups": 6}, "6 does not divide 4", {"num_groups": [4]}),
    ("rebalance", {"num_groups": 8, "num_nodes": 1}, "8 does not divide 4", {"num_groups": [4]}),
    ("rebalance", {"num_groups": 3, "num_nodes": 1}, "3 does not divide 4", {"num_groups": [2, 4]}),
    ("rebalance", {"num_groups": 0}, "num_groups must be at least 1, got 0", {"num_groups": [2]}),
    ("rebalance", {"num_nodes": 0}, "num_nodes must be at least 1, got 0", {"num_nodes": [1]}),
    ("rebalance", {"num_gpus": 3}, "3 is not a multiple of 2", {"num_nodes": [1], "num_gpus": [2, 6]}),
    ("rebalance", {"num_gpus": 1}, "num_nodes=2 is more than num_gpus=1", {"num_nodes": [1], "num_gpus": [2]}),
    ("rebalance", {"num_gpus": 0}, "num_gpus must be at least 1, got 0", {"num_gpus": [2]}),
    ("rebalance", {"num_gpus": 4}, "6 is not a multiple of 4", {"num_replicas": [4, 8], "num_gpus": [2, 6]}),
    (
        *("hierarchical", {"num_physical_experts": 7}),
        *("num_physical_experts must be a multiple of num_gpus: 7", {"num_physical_experts": [6, 8]}),
    ),
    ("hierarchical", {"num_physical_experts": 2}, "2 for 4 experts is not", {"num_physical_experts": [4]}),
    ("hierarchical", {"num_groups": 3}, "3 is not a multiple of 2", {"num_groups": [2, 4]}),
    ("hierarchical", {"num_groups": 1}, "1 is not a multiple of 2", {"num_groups": [2], "num_nodes": [1]}),
    ("hierarchical", {"num_groups": 6}, "6 does not divide 4", {"num_groups": [4]}),
    ("hierarchical", {"num_gpus": 3}, "3 is not a multiple of 2", {"num_nodes": [1], "num_gpus": [2, 6]}),
    ("packing", {"num_packs": 3}, "3 does not divide 4", {"num_packs": [2, 4]}),
    ("packing", {"num_packs": 8}, "8 does not divide 4", {"num_packs": [4]}),
    ("replication", {"num_phy": 3}, "3 for 4 experts is not", {"num_phy": [4]}),
    ("replication", {"num_phy": 0}, "num_phy must be at least 1, got 0", {"num_phy": [4]}),
    ("replication", {"num_phy": 4098}, "4098 for 4 experts is not", {"num_phy": [4097]}),
    ("evaluation", {"num_gpus": 4}, "num_gpus must divide the slots of the plan: 4 does not", {"num_gpus": [3, 6]}),
    (
        *("evaluation", {"num_gpus": 3, "num_groups": 2, "num_nodes": 2}),
        *("3 is not a multiple of 2", {"num_nodes": [1], "num_gpus": [2, 6]}),
    ),
    ("evaluation", {"num_groups": 3}, "3 does not divide 4", {"num_groups": [2, 4]}),
    ("evaluation", {"num_groups": 8, "num_nodes": 2}, "8 does not divide 4", {"num_groups": [4]}),
]


@in_hand_or_traced
@pytest.mark.parametrize(("name", "sizes", "message", "works"), BAD_SIZES)
def test_sizes_that_do_not_fit(
    library: Library, name: str, sizes: dict[str, int], message: str, works: dict[str, list[int]]
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        CALLS[name].run(library, **sizes)
    assert advice(str(caught.value)) == works
    for size, better in [(size, better) for size, each in works.items() for better in each]:
        if name != "evaluation" or "num_groups" not in works:  # a plan for other groups
            CALLS[name].run(NUMPY, **(sizes | {size: better}))


FIELDS = Asked._fields
few, value = st.integers(1, 4), st.one_of(st.integers(-1, 40), st.just(10**12))
some_fields = st.sets(st.sampled_from(FIELDS), min_size=1)


@st.composite
def refused(draw: st.DrawFn) -> tuple[Rules, Asked, str]:
    """Sizes that don't fit together, and what is said of them."""
    nodes, groups_per_node, experts_per_group, gpus_per_node, more_slots = (draw(few) for _ in range(5))
    groups, gpus = nodes * groups_per_node, nodes * gpus_per_node
    experts = groups * experts_per_group
    # Sizes that fit together, then some of them changed.
    asked = Asked(gpus * (experts // gpus + more_slots), groups, nodes, gpus)
    changed = draw(some_fields)
    asked = asked._replace(**{name: draw(value) for name in FIELDS if name in changed})
    are_given = draw(st.booleans())
    rules = Rules(experts, are_given=are_given, keeps_groups=not are_given and draw(st.booleans()))
    try:
        check_sizes(experts, *asked, are_given=rules.are_given, keeps_groups=rules.keeps_groups)
    except ValueError as error:
        return rules, asked, str(error)
    assume(False)
    raise AssertionError


def fits(rules: Rules, asked: Asked) -> bool:
    """Whether there is a hierarchical or, where groups don't divide over nodes, a global plan."""
    replicas, groups, nodes, gpus = asked
    if min(groups, nodes, gpus) < 1 or not rules.experts <= replicas <= rules.experts + 4093 or replicas % gpus:
        return False
    if groups % nodes:
        return not rules.keeps_groups
    return rules.experts % groups == 0 and gpus % nodes == 0


@thorough
@given(refused())
def test_an_error_names_the_nearest_of_each_size_that_work_alone(case: tuple[Rules, Asked, str]) -> None:
    rules, asked, message = case
    named = advice(message) if "together" not in message and "there is no plan" not in message else {}
    for name in FIELDS:
        value = getattr(asked, name)
        works = [size for size in range(1, 200) if fits(rules, asked._replace(**{name: size}))]
        if name in {"num_groups", "num_nodes"}:  # others work too, but as if there were neither
            works = [size for size in works if not (asked._replace(**{name: size})).is_global]
        if name == "num_replicas" and rules.are_given:
            works = []
        below, above = [size for size in works if size < value], [size for size in works if size > value]
        if value < 200:
            assert [size for size in named.get(name, []) if size < 200] == below[-1:] + above[:1]
        assert all(fits(rules, asked._replace(**{name: size})) for size in named.get(name, []))


@thorough
@given(refused())
def test_where_no_size_works_alone_an_error_names_some_that_work_together(case: tuple[Rules, Asked, str]) -> None:
    rules, asked, message = case
    if "there is no plan" in message:
        assert rules.are_given
        assert not rules.experts <= asked.num_replicas <= rules.experts + 4093
        return
    assume("together" in message)
    together = {name: int(size) for name, size in re.findall(r"(\w+)=(\d+)", message.partition("together: ")[2])}
    assert len(together) > 1
    assert not rules.are_given or "num_replicas" not in together
    assert fits(rules, asked._replace(**together))


def test_no_groups_on_more_nodes_than_can_be_are_one_on_one() -> None:
    with pytest.raises(ValueError, match=r"at least 1, got 0; nearest that work together: num_groups=1, num_nodes=1$"):
        rebalance_experts(np.ones((1, 1)), 2, 0, 10**12, 1)


def test_numbers_of_groups_are_named_that_divide_over_the_nodes_too() -> None:
    with pytest.raises(ValueError, match="8 does not divide 12; nearest that work: num_groups=4 or 12"):  # not 6
        rebalance_experts(np.ones((1, 12)), 12, 8, 4, 4)


def test_numbers_of_gpus_are_named_beside_those_of_replicas() -> None:
    with pytest.raises(ValueError, match=r"nearest that work: num_replicas=288 or 324, num_gpus=29 or 58$"):
        rebalance_experts(np.ones((1, 256)), 290, 1, 1, 36)
    with pytest.raises(ValueError, match=r"nearest that work: num_replicas=280 or 320, num_gpus=36 or 48$"):
        rebalance_experts(np.ones((1, 256)), 288, 8, 4, 40)  # over four nodes


def test_several_nodes_of_one_gpu_are_too_many() -> None:
    with pytest.raises(ValueError, match="num_nodes=4 is more than num_gpus=1; nearest that work: num_nodes=1"):
        rebalance_experts(np.ones((1, 256)), 288, 8, 4, 1)


def test_no_groups_are_one() -> None:
    with pytest.raises(TypeError, match=r"num_groups must be a positive integer, got None .*; 1 is a global plan"):
        rebalance_experts(np.ones((1, 256)), 288, None, 1, 8)  # type: ignore[arg-type]
