"""Sizes as kernels read them: Triton finds a compiled kernel by their text."""

from dataclasses import dataclass

import pytest

from eplb_xp.backends.launching import static
from eplb_xp.backends.launching.static import Static


@dataclass(frozen=True)
class Sizes:
    """Two versions have this: what is computed differs."""

    slots: int
    _padding: int

    @property
    def words(self) -> int:
        return self.slots + self._padding


def test_the_text_has_all_that_a_kernel_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    before = repr(Static(Sizes(3, 5)))
    assert "{'slots': 3, 'words': 8}" in before
    assert repr(Static(Sizes(3, 6))) != before
    monkeypatch.setattr(static, "LEFT_OUT", {})
    assert repr(Static(Sizes(3, 5))) != before


def test_only_some_sizes_ask_for_registers() -> None:
    assert Static(Sizes(3, 5)).registers is None
