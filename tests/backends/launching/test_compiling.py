"""How kernels are compiled: by one thread at a time, and without passes of Triton that find nothing in them."""

import os
from contextlib import nullcontext
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import triton
from triton._C import libtriton
from triton._C.libtriton import passes

from eplb_xp.backends.launching.compiling import LEFT_OUT, quickly
from tests.support import quota_kernels
from tests.support.threads import elsewhere

PASSES = [(attrgetter(path)(libtriton), name) for path, names in LEFT_OUT.items() for name in names]


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """To which pass managers Triton has added the passes, and what it gave them."""
    added: list[Any] = []
    for room, name in PASSES:
        monkeypatch.setattr(room, name, lambda *arguments: added.append(arguments), raising=False)
    return added


def add(manager: str) -> None:
    for room, name in PASSES:
        getattr(room, name)(manager, 2)


def test_the_passes_are_left_out_of_what_this_thread_compiles(managers: list[Any]) -> None:
    with quickly():
        add("ours")
        with quickly():  # a kernel that is compiled while another is
            add("ours")
        add("ours")
        elsewhere(lambda: add("theirs"))
    assert managers == [("theirs", 2)] * len(PASSES)
    add("later")
    assert managers[len(PASSES) :] == [("later", 2)] * len(PASSES)


def test_they_are_back_after_an_error(managers: list[Any]) -> None:
    with pytest.raises(ZeroDivisionError), quickly():
        _ = 1 // 0
    add("later")
    assert managers == [("later", 2)] * len(PASSES)


@pytest.mark.parametrize("folder", [None, "", "/somewhere"])
def test_there_is_a_folder_though_jax_triton_took_it_away(folder: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    own = triton.knobs.cache.dir
    if folder is not None:
        monkeypatch.setenv("TRITON_CACHE_DIR", folder)
    with quickly():
        assert triton.knobs.cache.dir == (folder or own)
        assert Path(triton.knobs.cache.dir).is_absolute()
    assert os.environ.get("TRITON_CACHE_DIR") == folder


def test_a_triton_without_the_pass_compiles_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(passes.ttgpuir, "add_coalesce")
    with quickly():
        assert not hasattr(passes.ttgpuir, "add_coalesce")
    assert not hasattr(passes.ttgpuir, "add_coalesce")


def test_a_kernel_is_the_same_and_says_all_that_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some passes only write down a size, none or not: whoever starts the kernel compares it with what there is."""
    how = quota_kernels.launch_of(quota_kernels.drawn(np.random.default_rng(11), (8, 12, 4)), 1)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "ours"))
    ours = quota_kernels.compiled(how)
    monkeypatch.setattr(quota_kernels, "quickly", nullcontext)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton's"))
    theirs = quota_kernels.compiled(how)
    assert ours.metadata == theirs.metadata
    assert ours.asm["ptx"] == theirs.asm["ptx"]
