"""Sizes as kernels read them: every attribute is a constant of the compiled program."""

from collections.abc import Hashable
from typing import Any

import triton
import triton.language as tl


class Static:
    """Sizes whose attributes are constants that functions in Triton take."""

    def __init__(self, shape: Hashable) -> None:
        self._shape = shape

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._shape, name)
        return value if triton.knobs.runtime.interpret else tl.constexpr(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and other._shape == self._shape

    def __hash__(self) -> int:
        return hash(self._shape)

    def __repr__(self) -> str:
        return repr(self._shape)
