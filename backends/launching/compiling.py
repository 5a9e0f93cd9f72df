"""Triton compiles for one thread at a time, and without a pass that takes nine tenths of its time.

While it does it changes the warning filters of all threads, and others see kernels that are only half loaded; and
importing jax-triton takes away its folder of compiled kernels for a while.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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


@contextmanager
def quickly() -> Iterator[None]:
    """What this thread compiles is not searched for wider loads and stores.

    For each that pass walks through all that is connected with it, which in a kernel for a whole plan is all of it: 42
    of 45 seconds for candidates of policy joint. It finds next to nothing, since programs read by a thread an entry.
    """
    from triton._C.libtriton import passes  # noqa: PLC0415 # there where kernels are

    with LOCK:
        room = passes.ttgpuir
        add, thread = getattr(room, "add_coalesce", None), threading.get_ident()

        def add_for_others(manager: Any) -> None:
            if add is not None and threading.get_ident() != thread:
                add(manager)

        if add is None:  # another Triton
            yield
            return
        room.add_coalesce = add_for_others
        try:
            yield
        finally:
            room.add_coalesce = add
