"""Bad loads: an error that says what was given and what would work, from every function and library."""

from typing import Any

import numpy as np
import pytest

from eplb_xp import check_loads
from tests.support.calls import WEIGHT, Call, every_call, every_call_but_check
from tests.support.libraries import LIBRARIES, NUMPY, Library, NumPyArray, every_library, over
from tests.support.other_libraries import Jit


@every_library
@every_call
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (WEIGHT[0], ValueError, r"layers, (experts|items)\], got shape \(4,\)"),
        (WEIGHT[None, None], ValueError, r"layers, (experts|items)\], got shape \(1, 1, 2, 4\)"),
        (WEIGHT[:, :0], ValueError, r"at least one of (experts|items), got shape \(2, 0\)"),
        (WEIGHT > 5, TypeError, "weight must be of integers or real floats, got dtype .*bool"),
        (WEIGHT.astype(np.complex64), TypeError, "weight must be of integers or real floats, got dtype .*complex64"),
    ],
    ids=["one dimension", "four dimensions", "no experts", "bool", "complex"],
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
        (np.ma.masked_greater(WEIGHT, 5), r"weight must not be a masked array; weight.filled\(0\) has no mask"),
    ],
    ids=["list", "none", "number", "text", "strings", "objects", "times", "masked"],
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


@every_call_but_check
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_a_matrix_is_as_an_array(call: Call) -> None:
    made = call.function(*call.first, np.matrix(WEIGHT), **call.sizes)
    for got, want in zip(made, call.run(NUMPY), strict=True):
        np.testing.assert_array_equal(np.asarray(got), want)
