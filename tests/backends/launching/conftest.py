"""What tests of how kernels are started have in common."""

import pytest

from eplb_xp.backends.launching import from_jax


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process takes itself to have a GPU."""
    monkeypatch.setattr(from_jax, "missing", lambda: None)
