"""The benchmark of plans on a GPU, started where there is none."""

from functools import partial
from pathlib import Path

import pytest

from benchmarks.gpu import by_torch, compiling, loads, machine, measuring
from tests.support.gpu_benchmark import MACHINE, made_up, on_host


@pytest.fixture
def without_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to write to, and made-up times instead of a GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "why_not", lambda: None)
    monkeypatch.setattr(machine, "describe", lambda: MACHINE)
    monkeypatch.setattr(by_torch, "made", on_host)
    monkeypatch.setattr(compiling, "compile_all", lambda *_: None)
    monkeypatch.setattr(loads, "CHECKED_LAYERS", 4)
    monkeypatch.setattr(by_torch, "graph", partial(made_up, 0.0, 1.0))
    monkeypatch.setattr(by_torch, "eager", partial(made_up, 58.0, 1.0))
    monkeypatch.setattr(
        by_torch, "launches", lambda case, _: ("prepare", "Memset")[: 1 + (getattr(case, "policy", "") != "greedy")]
    )
    monkeypatch.setattr(measuring, "_jax", partial(made_up, 0.0, 1.31))
    return tmp_path / "out"
