"""The seams: what each library does in its own way, and kernels that take over."""

from typing import Any, NamedTuple

import array_api_strict
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from eplb_xp.algorithms.placement import Placement
from eplb_xp.backends import library_of

ARRAYS = {
    "numpy": np.asarray,
    "strict": array_api_strict.asarray,
    "torch": torch.asarray,
    "jax": jnp.asarray,
}
every_library = pytest.mark.parametrize("asarray", ARRAYS.values(), ids=ARRAYS)


@every_library
def test_a_number_for_each_row(asarray: Any) -> None:
    for rows in (0, 1, 3):
        like = asarray(np.ones((rows, 5)))
        lib = library_of("x", like)
        result = lib.for_each_row(asarray(np.array(7, np.int8)), like)
        assert result.dtype == lib.index_dtype
        assert np.array_equal(np.asarray(result), np.full((rows, 1), 7))


@every_library
def test_running_minimum(asarray: Any) -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 7, 32):
        x = rng.random((5, size)).astype(np.float32)
        x[rng.random(x.shape) < 0.2] = np.inf
        given = asarray(x)
        result = library_of("x", given).running_minimum(given)
        assert np.array_equal(np.asarray(result), np.minimum.accumulate(x, axis=-1))


@every_library
def test_running_sum_adds_up_from_the_left(asarray: Any) -> None:
    x = np.random.default_rng(0).lognormal(0, 3, (5, 9)).astype(np.float32)
    given = asarray(x)
    result = np.asarray(library_of("x", given).running_sum(given))
    for row, sums in zip(x, result, strict=True):
        total = np.float32(0)
        for value, got in zip(row, sums, strict=True):
            total += value
            assert got == total


@every_library
def test_argmin_takes_the_first(asarray: Any) -> None:
    x = np.random.default_rng(0).integers(0, 4, (50, 7))
    for given in (x, x.astype(np.float32), np.where(x > 1, np.inf, x).astype(np.float32)):
        result = library_of("x", asarray(given)).argmin(asarray(given))
        assert np.array_equal(np.asarray(result), np.argmin(given, axis=1, keepdims=True))


@every_library
def test_reciprocal_of_binade(asarray: Any) -> None:
    x = np.array([[2.0**-125, 2.0**-125 * 1.5, 0.75, 1.0, 1.9999999, 2.0, 3.0, 2.0**64, 2.0**125 * 1.9]], np.float32)
    expected = np.array([[2.0**125, 2.0**125, 2, 1, 1, 0.5, 0.5, 2.0**-64, 2.0**-125]], np.float32)
    result = library_of("x", asarray(x)).reciprocal_of_binade(asarray(x))
    assert np.array_equal(np.asarray(result), expected)


# JAX ranks rows of up to 128 by counting, 32 at a time.
@pytest.mark.parametrize("size", [1, 2, 31, 33, 128, 129, 300])
@every_library
def test_sort_rows_by_key_then_by_tag(asarray: Any, size: int) -> None:
    rng = np.random.default_rng(size)
    key = rng.choice([0.0, 0.5, 2.0, np.inf, *rng.random(20)], (6, size)).astype(np.float32)
    tag = np.stack([rng.permutation(3 * size)[:size] for _ in range(6)])
    lib = library_of("x", asarray(key))
    for sign in (1, -1):
        order = np.lexsort((tag, sign * key), axis=-1)
        keys, tags = lib.sort_rows(asarray(key), asarray(tag), descending=sign < 0)
        assert np.array_equal(np.asarray(keys), np.take_along_axis(key, order, axis=1))
        assert np.array_equal(np.asarray(tags), np.take_along_axis(tag, order, axis=1))


@every_library
def test_take_along_any_axis(asarray: Any) -> None:
    rng = np.random.default_rng(0)
    for shape in ((7,), (7, 5), (7, 5, 3)):
        x = rng.random(shape).astype(np.float32)
        lib = library_of("x", asarray(x))
        for axis in (0, len(shape) - 1, -1):
            indices = rng.integers(0, shape[axis], 9)
            result = lib.take(asarray(x), asarray(indices), axis=axis)
            assert np.array_equal(np.asarray(result), np.take(x, indices, axis=axis))


@every_library
def test_put_along_axis_leaves_the_original_alone(asarray: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 100, (4, 9))
    indices = np.stack([rng.permutation(9)[:5] for _ in range(4)])
    values = rng.integers(100, 200, (4, 5))
    expected = x.copy()
    np.put_along_axis(expected, indices, values, axis=-1)
    given = asarray(x)
    result = library_of("x", given).put_along_axis(given, asarray(indices), asarray(values))
    assert np.array_equal(np.asarray(result), expected)
    assert np.array_equal(np.asarray(given), x)


class Both(NamedTuple):
    """A carry in a carry."""

    inner: Placement
    outer: Any


@every_library
def test_loops_keep_the_contract_of_lax(asarray: Any) -> None:
    lib = library_of("x", asarray(np.zeros(1)))

    def collatz(carry: Placement) -> Placement:
        number, steps, _ = carry
        return Placement(lib.xp.where(number % 2 == 0, number // 2, 3 * number + 1), steps + 1, number)

    start = Placement(*(asarray(np.asarray(n, dtype=np.int32)) for n in (27, 0, 27)))
    end = lib.while_loop(lambda carry: carry.phy2log != 1, collatz, start)
    assert [int(x) for x in end] == [1, 111, 2]

    def counted(carry: Both) -> Both:
        return Both(collatz(carry.inner), carry.outer + 1)

    both = lib.while_loop(lambda carry: carry.inner.phy2log != 1, counted, Both(start, asarray(np.zeros(1, np.int32))))
    assert [int(x) for x in both.inner] == [1, 111, 2]
    assert np.asarray(both.outer).tolist() == [111]

    table = asarray(np.asarray([5, 7, 11, 13], dtype=np.int32))
    total = lib.fori_loop(1, 4, lambda i, total: total + table[i], table[0])
    assert int(total) == 36


class Steps(NamedTuple):
    """Numbers of rows and the steps to where each ends, and the rounds of all rows."""

    number: Any  # [rows, 1]
    steps: Any  # [rows, 1]
    rounds: Any  # [1]


@every_library
@pytest.mark.parametrize("rows", [8, 1, 0])
def test_rows_that_are_done_are_back_in_their_places(asarray: Any, rows: int) -> None:
    number = np.array([27, 1, 2, 3, 8, 1, 97, 4], np.int32)[:rows, None]
    factor = np.array([3, 3, 3, 3, 5, 3, 3, 5], np.int32)[:rows, None]  # 5 for powers of two, which never need it
    lib = library_of("x", asarray(number))
    xp = lib.xp

    def is_open(now: Steps) -> Any:
        return now.number != 1

    def collatz(now: Steps, fixed: tuple[Any, ...]) -> Steps:
        goes_on = is_open(now)
        after = xp.where(now.number % 2 == 0, now.number // 2, fixed[0] * now.number + 1)
        steps = now.steps + xp.astype(goes_on, xp.int32)
        return Steps(xp.where(goes_on, after, now.number), steps, now.rounds + 1)

    start = Steps(asarray(number), asarray(0 * number), asarray(np.zeros(1, np.int32)))
    end = lib.while_rows(is_open, collatz, start, (asarray(factor),))
    assert np.asarray(end.number).tolist() == [[1]] * rows
    assert np.asarray(end.steps)[:, 0].tolist() == [111, 0, 1, 7, 3, 0, 118, 2][:rows]
    assert np.asarray(end.rounds).tolist() == [max([111, 0, 1, 7, 3, 0, 118, 2][:rows], default=0)]


def test_lists_and_unknown_arrays_are_refused() -> None:
    for x in ([[1.0, 2.0]], ((1, 2),), 3.0, None, "loads"):
        with pytest.raises(TypeError, match=f"weight must be an array of NumPy.*got {type(x).__name__}"):
            library_of("weight", x)
