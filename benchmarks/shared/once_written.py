"""Timing the once-written code, whatever takes over elsewhere."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from eplb_xp.backends.takeover import OFF, SWITCH


@contextmanager
def once_written() -> Iterator[None]:
    """Let nothing take over in here."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = OFF
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before
