"""PyTorch's .pt files, which take PyTorch; safetensors, which take that library."""

import importlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from eplb_xp.formats.fields import UnfitError


def of_torch() -> Any:
    """The module that reads and writes .pt files; importing it takes seconds."""
    try:
        return importlib.import_module("eplb_xp.backends.tensors.files")
    except ImportError as error:
        raise UnfitError(
            f'.pt files take PyTorch, which can\'t be imported ({error}): pip install "eplb-xp[torch]"'
        ) from error


def safetensors(path: Path, stack: ExitStack) -> Any:
    """A file of safetensors, mapped: ``keys()`` and ``get_tensor(key)``."""
    try:
        library = importlib.import_module("safetensors")
    except ImportError as error:
        raise UnfitError(
            f'.safetensors files take safetensors, which can\'t be imported ({error}): pip install "eplb-xp[cli]"'
        ) from error
    return stack.enter_context(library.safe_open(path, framework="numpy"))
