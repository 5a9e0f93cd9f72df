"""The programs of examples/: run as a reader would run them, or loaded for what is in them."""

import importlib.util
import os
import subprocess
import sys
from types import ModuleType

from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An example in a process of its own, with none of this one's settings of JAX; its programs are plain ones."""
    from tests.support.plain_programs import plain_environment  # noqa: PLC0415 # ranks of PyTorch import no JAX

    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XLA", "JAX"))}
    environment |= plain_environment()
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)  # noqa: S603 # our own program


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
