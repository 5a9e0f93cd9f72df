"""Triton's folder of compiled kernels, which importing jax-triton takes away for a while."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAME = "TRITON_CACHE_DIR"

# Held while the folder is away, and while kernels are compiled, so that no thread compiles without it, or takes what
# it is in the meantime for what it was.
LOCK = threading.RLock()


@contextmanager
def kept() -> Iterator[None]:
    """Triton's folder is afterwards what it was: jax-triton empties it, for PyTorch's kernels too."""
    with LOCK:
        before = os.environ.get(_NAME)
        try:
            yield
        finally:
            os.environ.pop(_NAME, None)
            if before is not None:
                os.environ[_NAME] = before
