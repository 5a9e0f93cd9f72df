"""An engine's own files, with stand-ins for the rest of it: what needs a GPU, a model, or a hundred packages.

Modules that were fetched are the engine's. Any other of its modules is there too, and has whatever is asked for: a
class without anything. Where the engine's files use more of one than its name, it is given here.
"""

import contextlib
import importlib.abc
import importlib.util
import logging
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal
from unittest import mock

import torch


class Logger(logging.LoggerAdapter[logging.Logger]):
    """vLLM's loggers have more methods."""

    info_once = logging.LoggerAdapter.info
    debug_once = logging.LoggerAdapter.debug
    warning_once = logging.LoggerAdapter.warning


class Variables:
    """Those of SGLang's environment, none of which is set."""

    SGLANG_EPLB_P2P_BATCH_CHUNK_SIZE = SimpleNamespace(get=lambda: 32)

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(get=lambda: None)


PLATFORM = SimpleNamespace(
    **{f"is_{name}": lambda: False for name in ("cuda", "cuda_alike", "rocm", "xpu")}, device_type="cpu"
)
GIVEN: dict[str, dict[str, Any]] = {
    "vllm": {"__version__": "as fetched"},
    "vllm.envs": {"VLLM_PLUGINS": None},
    "vllm.logger": {
        "init_logger": lambda name: Logger(logging.getLogger(name), {}),
        "logger": Logger(logging.getLogger("vllm"), {}),
    },
    "vllm.config.parallel": {"EPLBPolicyOption": Literal["default"]},
    "vllm.platforms": {"current_platform": PLATFORM},
    "vllm.utils.gpu_sync_debug": {"gpu_sync_allowed": contextlib.nullcontext},
    "vllm.utils.torch_utils": {"PIN_MEMORY": False},
    "sglang.srt.environ": {"envs": Variables()},
    "sglang.srt.utils": {
        "get_bool_env_var": lambda _: False,
        "get_int_env_var": lambda _, default: default,
        "is_cuda": lambda: False,
        "is_cpu": lambda: True,
    },
}
# What nothing stands in for: old versions haven't it.
NEW = ("sglang.srt.plugins",)


class StandIn(ModuleType):
    """A module that has what is given, and else a class of every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (), {})
        setattr(self, name, made)
        return made


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of a package that was fetched, and stands in for those that were not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tops = {path.name for path in folder.iterdir() if path.name != "tests"}
        if "vllm_ascend" in self.tops:
            self.tops |= {"vllm", "torch_npu"}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname.partition(".")[0] not in self.tops:
            return None
        file = self.folder / fullname.replace(".", "/")
        if (file / "__init__.py").is_file():
            return importlib.util.spec_from_file_location(
                fullname, file / "__init__.py", submodule_search_locations=[str(file)]
            )
        if file.with_suffix(".py").is_file():
            return importlib.util.spec_from_file_location(fullname, file.with_suffix(".py"))
        if fullname in NEW or (file.parent / "__init__.py").is_file():  # a folder that was fetched as a whole
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = StandIn(spec.name)
        vars(module).update(GIVEN.get(spec.name, {}))
        return module

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


def stand_in(folder: Path) -> None:
    """Make the package in a folder importable, without a GPU."""
    sys.meta_path.insert(0, Finder(folder))
    for name in ("current_stream", "synchronize"):
        mock.patch.object(torch.accelerator, name).start()
    mock.patch.object(torch.cuda, "synchronize").start()
