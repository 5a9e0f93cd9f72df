"""What interprets kernels, and the memory that they are given on a GPU."""

from collections.abc import Generator

import numpy as np
import pytest
import torch

from eplb_xp.backends.launching import from_torch
from tests.support.cuda import POISON, SMALL_POISON
from tests.support.kernels import Interpreted, interpreter


@pytest.fixture(scope="session")
def interpreted() -> Generator[Interpreted]:
    """One process for all files, because it takes some seconds to start."""
    with interpreter() as run:
        yield run


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Kernels get poison to write on; the entries of all that they got."""
    given: list[int] = []

    def poison(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        given.append(int(np.prod(shape)))
        return torch.full(shape, POISON if dtype.itemsize > 2 else SMALL_POISON, dtype=dtype, device=device)

    monkeypatch.setattr(from_torch, "empty", poison)
    return given
