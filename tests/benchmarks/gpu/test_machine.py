"""The machine that plans on a GPU are timed on: its driver, and the versions there."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu import machine
from tests.support.gpu_benchmark import GPU


@pytest.mark.parametrize(
    ("program", "version"), [("echo 570.86.15; echo 570.86.15", "570.86.15"), ("echo no; exit 9", None), ("true", None)]
)
def test_the_driver_is_what_nvidia_smi_says(
    tmp_path: Path, program: str, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.driver() is None
    script = tmp_path / "nvidia-smi"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    assert machine.driver() == version


def test_versions_are_told_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: GPU)
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "no-such-package"))
    described = machine.describe()
    assert described["gpu"] == GPU
    assert described["versions"] == {"numpy": np.__version__, "no-such-package": None}
