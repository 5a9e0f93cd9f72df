"""Weights that travel between PyTorch's processes: all arrive, no bytes more than said, whatever the plans."""

import multiprocessing
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

from tests.support.paths import ROOT
from tests.support.torch_transfers import GROUP, rank_main
from tests.support.travelling import EXPERT_BYTES, drawn, drifted

has_gloo = pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no gloo")


def check(gpus: int, backend: str, folder: Path) -> None:
    changes = [*drawn(gpus, 3, 40), *drawn(gpus, 1, 8), *drifted(gpus, 10)]
    changes += drawn(len(GROUP), 3, 8) if gpus > len(GROUP) else []
    # On a CPU all ranks are copies of one process that has imported PyTorch, which takes each of them two seconds.
    multiprocessing.set_forkserver_preload([rank_main.__module__])
    method = "forkserver" if backend == "gloo" else "spawn"
    start_processes(rank_main, (gpus, backend, folder, changes), nprocs=gpus, start_method=method)
    sent = np.stack([np.load(folder / f"{rank}.npy") for rank in range(gpus)], axis=1)  # [changes, ranks]
    for number, change in zip(sent, changes, strict=True):
        said = change.moves.bytes(EXPERT_BYTES).sent.tolist()
        assert number.tolist() == (said if change.gpus == gpus else [0, said[0], 0, said[1]])


@has_gloo
@pytest.mark.parametrize("gpus", [2, 4])
def test_weights_arrive(gpus: int, tmp_path: Path) -> None:
    check(gpus, "gloo", tmp_path)


@has_gloo
@pytest.mark.parametrize("starts", [(), ("torch.distributed.run", "--nproc-per-node", "2")], ids=["alone", "torchrun"])
def test_the_example(starts: tuple[str, ...]) -> None:
    program = str(ROOT / "examples" / "torch_moves.py")
    command = [sys.executable, "-m", *starts, program] if starts else [sys.executable, program, "--gpus", "2"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 # our own program
    assert result.returncode == 0, result.stderr
    first, buffer, last = result.stdout.splitlines()
    assert first.startswith("2 ranks with ")
    (moved, of_all), (used, of_layer) = ([int(n) for n in re.findall(r"\d+", x)][-2:] for x in (first, buffer))
    assert moved * 5 < of_all
    assert used * 5 < of_layer
    assert last.startswith("All slots hold their experts; every layer was right")


@pytest.mark.cuda
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch finds no second CUDA device")
def test_weights_arrive_on_gpus(tmp_path: Path) -> None:
    check(min(torch.cuda.device_count(), 4), "nccl", tmp_path)
