"""How kernels are compiled: by one thread at a time, and without a slow pass of Triton that finds nothing in them."""

from typing import Any

import pytest
from triton._C.libtriton import passes

from eplb_xp.backends.launching.compiling import quickly
from tests.support.threads import elsewhere


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """To which pass managers Triton has added the pass."""
    added: list[Any] = []
    monkeypatch.setattr(passes.ttgpuir, "add_coalesce", added.append)
    return added


def add(manager: str) -> None:
    passes.ttgpuir.add_coalesce(manager)


def test_the_pass_is_left_out_of_what_this_thread_compiles(managers: list[Any]) -> None:
    with quickly():
        add("ours")
        with quickly():  # a kernel that is compiled while another is
            add("ours")
        add("ours")
        elsewhere(lambda: add("theirs"))
    assert managers == ["theirs"]
    add("later")
    assert managers == ["theirs", "later"]


def test_it_is_back_after_an_error(managers: list[Any]) -> None:
    with pytest.raises(ZeroDivisionError), quickly():
        _ = 1 // 0
    add("later")
    assert managers == ["later"]


def test_a_triton_without_the_pass_compiles_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(passes.ttgpuir, "add_coalesce")
    with quickly():
        assert not hasattr(passes.ttgpuir, "add_coalesce")
    assert not hasattr(passes.ttgpuir, "add_coalesce")
