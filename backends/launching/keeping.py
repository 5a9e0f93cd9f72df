"""Kernels that jax-triton compiles are kept in Triton's folder, as PyTorch's are: the next process finds them there.

jax-triton takes a kernel to Triton's own language and that to PTX, anew in each process. While this thread lowers a
program, both steps are answered from the folder where they can be. Kernels also get the registers that their sizes ask
for (`Shape.registers`), for which jax-triton has no option.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from eplb_xp.backends.launching.compiling import standing_in

# What of jax-triton is stood in for, and what that gives.
_NEEDED = "code_gen", "compile_ttir_inplace", "CompilationResult", "_JAX_TRITON_DUMP_DIR"

_FILE = "kernel.json"


@contextmanager
def kept() -> Iterator[None]:
    """What this thread compiles with jax-triton is looked up in Triton's folder first, and kept there."""
    library: Any = sys.modules.get("jax_triton.triton_lib")
    if library is None or not all(hasattr(library, name) for name in _NEEDED):
        yield
        return
    steps = _Steps(library)
    to_ttir = standing_in(library.code_gen, "ast_to_ttir", steps.to_ttir)
    to_ptx = standing_in(library, "compile_ttir_inplace", steps.to_ptx)
    with to_ttir, to_ptx:
        yield


class _Steps:
    """The two steps of each kernel, one after the other."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._to_ttir = library.code_gen.ast_to_ttir
        self._to_ptx = library.compile_ttir_inplace

    def to_ttir(self, function: Any, source: Any, *, options: Any, **others: Any) -> Any:
        """The kernel in Triton's own language, which `str` gives."""
        self._options = replace(options, maxnreg=_registers(source))
        # jax-triton is to write down the code between, which is there only if it compiles.
        is_dumped = self._library._JAX_TRITON_DUMP_DIR
        self._place = None if is_dumped else _place(source, self._options)
        self._found = _read(self._place, self._library.CompilationResult)
        if self._found is not None:
            return self._found
        return self._to_ttir(function, source, options=self._options, **others)

    def to_ptx(self, module: Any, backend: Any, _: Any, *others: Any) -> Any:
        """What jax-triton makes of that: PTX, the name of its function, and what it needs."""
        if self._found is not None:
            return self._found.result
        ttir = str(module)  # before it is changed in place
        result = self._to_ptx(module, backend, self._options, *others)
        _write(self._place, {"ttir": ttir, "result": vars(result)})
        return result


class _Kept:
    """A kernel that was compiled before."""

    def __init__(self, ttir: str, result: Any) -> None:
        self._ttir = ttir
        self.result = result

    def __str__(self) -> str:
        return self._ttir


def _registers(source: Any) -> int | None:
    """What the sizes among a kernel's constants ask for."""
    asked = (getattr(constant, "registers", None) for constant in source.constants.values())
    return next((number for number in asked if number is not None), None)


def _place(source: Any, options: Any) -> Any:
    """Triton's manager of a kernel's files, after all that its code depends on; None where nothing can be kept."""
    try:
        import jax_triton  # noqa: PLC0415 # there where kernels are
        from triton._C.libtriton import get_cache_invalidating_env_vars  # noqa: PLC0415
        from triton.backends.compiler import GPUTarget  # noqa: PLC0415
        from triton.compiler.compiler import make_backend  # noqa: PLC0415
        from triton.runtime.cache import get_cache_key, get_cache_manager  # noqa: PLC0415

        backend = make_backend(GPUTarget("cuda", int(options.arch.removeprefix("sm")), 32))
        key = get_cache_key(source, backend, options, get_cache_invalidating_env_vars())
        return get_cache_manager(hashlib.sha256(f"{jax_triton.__version__}-{key}".encode()).hexdigest())
    # A folder that can't be written, or none; another Triton.
    except (OSError, RuntimeError, ImportError, AttributeError, ValueError):
        return None


def _read(place: Any, result: Callable[..., Any]) -> _Kept | None:
    """A kernel as it was kept, if it was."""
    from triton import knobs  # noqa: PLC0415

    if place is None or knobs.compilation.always_compile:
        return None
    try:
        path = place.get_file(_FILE)
        if path is None:
            return None
        kernel = json.loads(Path(path).read_text())
        return _Kept(kernel["ttir"], result(**kernel["result"]))
    except (OSError, ValueError, KeyError, TypeError):  # taken away, or broken
        return None


def _write(place: Any, kernel: dict[str, Any]) -> None:
    try:
        if place is not None:
            place.put(json.dumps(kernel), _FILE)
    except OSError:  # no room
        return
