"""Sizes as kernels read them: every attribute is a constant of the compiled program."""

from collections.abc import Hashable
from typing import Any

import triton
import triton.language as tl

from eplb_xp.backends.launching.compiling import LEFT_OUT


class Static:
    """Sizes whose attributes are constants that functions in Triton take."""

    def __init__(self, shape: Hashable) -> None:
        self._shape = shape

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._shape, name)
        return value if triton.knobs.runtime.interpret else tl.constexpr(value)

    @property
    def registers(self) -> int | None:
        """What a kernel of these sizes asks of its compiler (`Shape.registers`), as a plain number."""
        return getattr(self._shape, "registers", None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and other._shape == self._shape

    def __hash__(self) -> int:
        return hash(self._shape)

    def __repr__(self) -> str:
        """All that a kernel reads, and how it is compiled.

        Triton finds a kernel's file by this text, and so may the next version of this package. That may compute in
        another way what is computed from sizes, and leave out other passes.
        """
        read = ((name, getattr(self._shape, name)) for name in dir(self._shape) if not name.startswith("_"))
        return repr(({name: value for name, value in read if not callable(value)}, LEFT_OUT))
