"""Kernels from JAX are kept in Triton's folder: found there, made where they aren't, and jax-triton left as it was."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.compiler import CUDABackend
from triton.compiler import ASTSource
from triton.runtime import cache

from eplb_xp.backends.kernels.choose import choose
from eplb_xp.backends.launching.keeping import kept
from eplb_xp.backends.launching.static import Static
from tests.support.kernels import launch_of
from tests.support.threads import elsewhere

BACKEND = CUDABackend(GPUTarget("cuda", 90, 32))
CONTEXT: dict[str, Any] = {"codegen_fns": {}, "context": None, "module_map": {}}


@dataclass
class Result:
    """What jax-triton has of a compiled kernel."""

    binary: str
    name: str
    shared_mem_bytes: int
    ttgir: str | None


class Library(ModuleType):
    """What jax-triton compiles with, and which steps it has taken."""

    CompilationResult = Result
    _JAX_TRITON_DUMP_DIR: str | None = None

    def __init__(self) -> None:
        super().__init__("jax_triton.triton_lib")
        self.taken: list[tuple[str, int | None]] = []
        self.code_gen = SimpleNamespace(ast_to_ttir=self.to_ttir)
        self.compile_ttir_inplace: Any = self.to_ptx

    def to_ttir(self, function: Any, source: Any, *, options: Any, **context: Any) -> str:
        assert source.fn is function
        assert context == CONTEXT
        self.taken.append(("ttir", options.maxnreg))
        return f"ttir of {source.constants}"

    def to_ptx(self, module: str, backend: Any, options: Any, capability: int, platform: str) -> Result:
        assert (backend, capability, platform) == (BACKEND, 90, "cuda")
        self.taken.append(("ptx", options.maxnreg))
        return Result(f"ptx of {module}, {options.num_warps} warps", "choose", 128, None)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    package, library = ModuleType("jax_triton"), Library()
    monkeypatch.setattr(package, "__version__", "0.3.1", raising=False)
    monkeypatch.setitem(sys.modules, "jax_triton", package)
    monkeypatch.setitem(sys.modules, "jax_triton.triton_lib", library)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    before = library.code_gen, library.code_gen.ast_to_ttir, library.compile_ttir_inplace
    yield library
    assert (library.code_gen, library.code_gen.ast_to_ttir, library.compile_ttir_inplace) == before


def compiled(library: Library, replicas: int = 24, gpus: int = 8, num_warps: int = 1) -> tuple[str, Result]:
    """A kernel as jax-triton compiles it: its text, and what it has of it."""
    shape = launch_of(1, 16, (replicas, 1, 1, gpus), "joint").shape
    source = ASTSource(choose, dict.fromkeys(choose.arg_names, "*i64"), {"S": Static(shape)})
    options = BACKEND.parse_options({"num_warps": num_warps, "debug": False, "enable_fp_fusion": False})
    module = library.code_gen.ast_to_ttir(choose, source, options=options, **CONTEXT)
    return str(module), library.compile_ttir_inplace(module, BACKEND, options, 90, "cuda")


def test_the_next_process_finds_a_kernel(library: Library) -> None:
    with kept():
        first = compiled(library)
        other = compiled(library, replicas=32)
    assert library.taken == [("ttir", 255), ("ptx", 255)] * 2
    with kept():
        assert (compiled(library), compiled(library, replicas=32)) == (first, other)
    assert len(library.taken) == 4
    assert first != other


def test_what_code_depends_on_is_told_apart(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    with kept():
        compiled(library)
        assert compiled(library, num_warps=2)[1].binary.endswith("2 warps")
        with monkeypatch.context() as patch:
            patch.setattr(sys.modules["jax_triton"], "__version__", "0.3.2")
            compiled(library)
        with monkeypatch.context() as patch:
            patch.setenv("DISABLE_LLVM_OPT", "1")
            compiled(library)
        with monkeypatch.context() as patch:
            patch.setattr(CUDABackend, "hash", lambda _: "another ptxas")
            compiled(library)
        with monkeypatch.context() as patch:
            patch.setattr(cache, "triton_key", lambda: "another Triton")
            compiled(library)
        assert len(library.taken) == 12
        compiled(library)
    assert len(library.taken) == 12


def test_sizes_ask_for_registers(library: Library) -> None:
    """Where the compiler would take fewer than loops go fastest with."""
    with kept():
        compiled(library, replicas=24, gpus=8)  # three slots a GPU
        compiled(library, replicas=24, gpus=4)
    assert library.taken == [("ttir", 255), ("ptx", 255), ("ttir", None), ("ptx", None)]


def test_another_thread_compiles_as_it_does(library: Library) -> None:
    with kept():
        ours = compiled(library)
        theirs = elsewhere(lambda: compiled(library))
    assert theirs == ours
    assert library.taken[2:] == [("ttir", None), ("ptx", None)]


@pytest.mark.parametrize("broken", ["", "{", "[]", "{}", '{"ttir": "", "result": {}}', "no longer there"])
def test_what_cannot_be_read_is_compiled(broken: str, library: Library, tmp_path: Path) -> None:
    with kept():
        first = compiled(library)
    for path in tmp_path.rglob("kernel.json"):
        path.unlink() if broken == "no longer there" else path.write_text(broken)
    with kept():
        assert compiled(library) == first
        assert compiled(library) == first  # kept once more
    assert len(library.taken) == 4


@pytest.mark.parametrize("folder", ["", "no folder"])
def test_where_nothing_can_be_kept_kernels_are_compiled(
    folder: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no folder").write_text("")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / folder) if folder else "")
    with kept():
        assert compiled(library) == compiled(library)
    assert len(library.taken) == 4


def test_who_asks_for_it_has_everything_compiled(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept():
        monkeypatch.setattr(library, "_JAX_TRITON_DUMP_DIR", "/somewhere")
        compiled(library)
        assert list(tmp_path.iterdir()) == []  # with all the code between it would be large
        monkeypatch.setattr(library, "_JAX_TRITON_DUMP_DIR", None)
        compiled(library)
        monkeypatch.setenv("TRITON_ALWAYS_COMPILE", "1")
        compiled(library)
    assert len(library.taken) == 6


def test_jax_triton_is_as_it_was_after_an_error(library: Library) -> None:
    with pytest.raises(ZeroDivisionError), kept():
        _ = 1 // 0
    assert library.code_gen.ast_to_ttir == library.to_ttir


def test_another_triton_keeps_nothing(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cache, "get_cache_key")
    with kept():
        assert compiled(library) == compiled(library)
    assert len(library.taken) == 4


def test_another_jax_triton_compiles_as_it_does(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Library, "_JAX_TRITON_DUMP_DIR")
    with kept():
        assert library.code_gen.ast_to_ttir == library.to_ttir
