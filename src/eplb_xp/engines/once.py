"""Warnings that are said once in a process, whichever thread comes first."""

import logging
import threading
from typing import Any

_log = logging.getLogger("eplb_xp")
_lock = threading.Lock()
_said: set[str] = set()


def warn(about: str, message: str, *args: Any) -> None:
    """Say it, unless something was said about this before."""
    with _lock:
        is_new = about not in _said
        _said.add(about)
    if is_new:
        _log.warning(message, *args)
