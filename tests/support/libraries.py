"""The libraries that every test runs on, behind one call.

``conftest.py`` fails a test that was given a library and did not run on it.
"""

import os
from collections.abc import Iterable

import pytest

from tests.support.library import Library, NumPyArray, ReadOnly, each
from tests.support.native import NumPyNative, needs_native

__all__ = ["LIBRARIES", "NUMPY", "Library", "NumPyArray", "each", "every_library", "over"]

NUMPY = Library("numpy")
LIBRARIES: list[Library] = [NUMPY, ReadOnly("numpy-readonly")]

# A mutation run starts the tests thousands of times, so it leaves out what is slow to start.
NUMPY_ALONE = os.environ.get("EPLB_XP_TEST_LIBRARIES") == "numpy"
if not NUMPY_ALONE:
    from tests.support.other_libraries import OTHERS

    LIBRARIES += [NumPyNative("numpy-native"), *OTHERS]


def over(libraries: Iterable[Library]) -> pytest.MarkDecorator:
    """A test of its own for each of the libraries."""
    marks = {"torch-cuda": pytest.mark.cuda, "numpy-native": needs_native}
    entries = [pytest.param(library, marks=marks.get(library.name, ()), id=library.name) for library in libraries]
    return pytest.mark.parametrize("library", entries)


every_library = over(LIBRARIES)
