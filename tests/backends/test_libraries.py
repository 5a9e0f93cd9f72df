"""The harness itself: every library is there, and each hands the planner arrays of its own kind."""

from typing import Any

import jax
import numpy as np
import pytest

from eplb_xp import balanced_packing
from tests.support.libraries import LIBRARIES, Library, each, every_library
from tests.support.other_libraries import Jit


def test_every_library_is_there() -> None:
    reads_values = {library.name: library.reads_values for library in LIBRARIES}
    assert reads_values == {
        "numpy": True,
        "numpy-readonly": True,
        "numpy-native": True,
        "strict": True,
        "strict-device": False,
        "torch": True,
        "torch-alone": True,
        "torch-cuda": False,
        "jax": jax.default_backend() == "cpu",
        "jax-jit": False,
        "jax-vmap": False,
    }


@every_library
def test_the_function_gets_arrays_of_the_library(library: Library) -> None:
    seen: list[Any] = []

    def look(weight: Any) -> Any:
        seen.append(weight)
        return weight * 1

    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(library.run(look, weight), weight, strict=True)
    (got,) = seen
    assert isinstance(got, library.array)
    assert isinstance(got, jax.core.Tracer) == isinstance(library, Jit)
    assert got.shape == (2, 3)


def test_a_result_of_another_kind_is_noticed() -> None:
    numpy = Library("numpy")
    weight = np.ones((2, 4), dtype=np.float32)
    for wrong in (
        lambda x: x.astype(np.int32),
        lambda x: x.astype(np.float64),
        lambda x: x.tolist(),
        lambda x: np.broadcast_to(x[:1], x.shape),
        lambda x: x.__iadd__(1),
    ):
        with pytest.raises((AssertionError, ValueError)):
            numpy.run(wrong, weight)


def test_static_sizes_are_told_apart_by_type() -> None:
    jit = Jit("jit")
    weight = np.ones((2, 4), dtype=np.float32)
    jit.run(balanced_packing, weight, num_packs=1)
    with pytest.raises(TypeError, match="num_packs"):
        jit.run(balanced_packing, weight, num_packs=True)


def test_nested_tuples_keep_their_kind() -> None:
    assert each(lambda x: x + 1, (1, (2, 3))) == (2, (3, 4))
