"""Native code inside of JAX's programs, beside the once-written code in the same process."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax

from tests.support.native import natively
from tests.support.other_libraries import Jit


class JitNative(Jit):
    """Inside jax.jit, by native code."""

    def call(self, function: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        """The function's result."""
        with natively():
            return _compiled(function, **static)(*arrays)


@cache
def _compiled(function: Callable[..., Any], **static: Any) -> Callable[..., Any]:
    """Programs of its own, since JAX keeps what it has traced."""
    return jax.jit(partial(function, **static))
