"""Processes of their own, because a process starts only once."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

Seconds = dict[str, float]

CHILD = str(Path(__file__).with_name("child.py"))


class Process(NamedTuple):
    """A process that has ended."""

    seconds: float  # from its start to its end
    # Parts of it, as it says itself.
    wall: Seconds
    cpu: Seconds


def run(*arguments: str, **environment: str) -> Process:
    """Run Python, JAX on the CPU, with more in the environment."""
    plain = {"JAX_PLATFORMS": "cpu", "PYTHONDONTWRITEBYTECODE": ""}  # modules as pip compiles them
    environment = os.environ | plain | environment
    begin = time.perf_counter()
    ended = subprocess.run(  # noqa: S603 # our own program
        [sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return Process(time.perf_counter() - begin, **json.loads(ended.stdout or '{"wall": {}, "cpu": {}}'))
