"""Triton compiles for one thread at a time.

While it does it changes the warning filters of all threads, and others see kernels that are only half loaded; and
importing jax-triton takes away its folder of compiled kernels for a while.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOCK = threading.RLock()

_FOLDER = "TRITON_CACHE_DIR"


@contextmanager
def folder_kept() -> Iterator[None]:
    """Triton's folder is afterwards what it was: jax-triton empties it, for PyTorch's kernels too."""
    with LOCK:
        before = os.environ.get(_FOLDER)
        try:
            yield
        finally:
            os.environ.pop(_FOLDER, None)
            if before is not None:
                os.environ[_FOLDER] = before
