"""Triton's kernels for plans that follow others, interpreted on a CPU: from poisoned memory NumPy's, bit for bit.

A path takes a tenth of a second, so most plans are those of the first path of each kind.
"""

from typing import Any

import numpy as np
import pytest

from tests.support.follow_kernels import ALL, Case, Shape, check, drawn, expected
from tests.support.kernels import Interpreted

SMALL = Shape(9, 12, 4)
NODES = Shape(8, 12, 4, 4, 2)

CASES: dict[str, tuple[Shape, dict[str, Any]]] = {
    "a plan of earlier loads": (SMALL, {"is_planned": True}),
    "doubles": (SMALL, {"layers": 2}),
    "doubles of few experts": (Shape(4, 12, 3), {"moves": 3, "empty": 0.2}),
    "empty slots": (SMALL, {"empty": 0.4, "layers": 2}),
    "nothing but empty slots": (SMALL, {"empty": 1.0}),
    "groups on nodes": (NODES, {"moves": 3}),
    "groups on nodes, empty slots": (NODES, {"empty": 0.4, "layers": 2}),
    "a cap": (SMALL._replace(most=3), {"moves": 3}),
    "a cap, empty slots": (SMALL._replace(most=2), {"empty": 0.4}),
    "a ring": (Shape(9, 15, 5, policy="ring"), {"is_planned": True, "moves": 3}),
    "a ring, empty slots": (Shape(9, 15, 5, policy="ring"), {"is_planned": True, "empty": 0.2}),
    "as many replicas as experts": (Shape(12, 12, 4), {}),
    "one GPU": (Shape(5, 9, 1), {}),
    "one expert": (Shape(1, 6, 3), {"empty": 0.3}),
    "one slot a GPU": (Shape(5, 7, 7), {}),
    "eight slots a GPU": (Shape(13, 24, 3), {}),
    "31 slots a GPU": (Shape(40, 62, 2), {"moves": 1}),
    "more GPUs than a warp has threads": (Shape(34, 66, 33), {"is_planned": True, "moves": 1}),
    "no gain that is enough": (SMALL, {"min_gain": 0.9}),
    "no moves": (SMALL, {"moves": 0, "empty": 0.2}),
}


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_plan(interpreted: Interpreted, name: str) -> None:
    shape, options = CASES[name]
    check(interpreted, drawn(3, shape, **options))


def test_all_paths(interpreted: Interpreted) -> None:
    check(interpreted, drawn(5, SMALL, moves=2), ALL)


def test_only_experts_whose_holders_have_changed(interpreted: Interpreted) -> None:
    """With fewer of them at once there are more than that."""
    case = drawn(1, Shape(10, 20, 5), moves=3)
    check(interpreted, case, block=2)


def test_what_is_no_expert_or_too_much_is_not_kept(interpreted: Interpreted) -> None:
    """On a device nobody looks at a plan in use before."""
    shape = NODES._replace(most=2)
    given = drawn(0, shape, 2, empty=0.1)
    previous = np.array([[8, 2**40, -7, 3, 3, 3, 0, 0, 0, 6, 7, 7], [0, 2, 4, 6, 1, 3, 5, 7, 0, 2, 4, 6]])
    check(interpreted, given._replace(previous=previous))


def test_loads_of_every_size_and_what_is_none(interpreted: Interpreted) -> None:
    given = drawn(2, SMALL, 3)
    weight = given.weight.copy()
    weight[0, 0, :4] = np.nan, np.inf, -1, 0
    weight[1] *= np.float32(1e36)
    weight[2] = 0
    check(interpreted, given._replace(weight=weight))


@pytest.mark.parametrize(
    ("dtype", "index", "is_spread"), [("float64", "int32", True), ("uint8", "int16", False), ("bfloat16", "int8", True)]
)
def test_dtypes_and_strides(interpreted: Interpreted, dtype: str, index: str, is_spread: bool) -> None:
    given = drawn(4, Shape(5, 6, 3), moves=1)
    given = given._replace(weight=(given.weight * 8).astype(np.dtype(dtype)), previous=given.previous.astype(index))
    check(interpreted, given, is_spread=is_spread)


@pytest.mark.parametrize("poison", [-1, 0, 2**31 - 1])
def test_any_poison(interpreted: Interpreted, poison: int) -> None:
    check(interpreted, drawn(6, Shape(6, 8, 4, 2, 2), moves=1, empty=0.2), poison=poison)


def test_cases_are_not_all_the_same() -> None:
    """Plans change, and are more than filled."""
    found = {name: (drawn(3, shape, **options), shape) for name, (shape, options) in CASES.items()}
    changed = [name for name, (case, _) in found.items() if is_changed(case)]
    assert len(changed) > len(found) // 2


def is_changed(case: Case) -> bool:
    """Beyond what filling takes."""
    none = expected(case._replace(budget=case.budget * 0))
    return bool((none.phy2log != expected(case).phy2log).any())
