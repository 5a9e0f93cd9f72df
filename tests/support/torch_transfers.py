"""One process of those that move weights to each other, and what it holds them against."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.distributed as dist

from tests.support.examples import load_example
from tests.support.library import NumPyArray
from tests.support.travelling import EXPERT_BYTES, KINDS, LAYERS, Change, checkpoint, held

GROUP = [1, 3]  # ranks of a group that has others than the world


def rank_main(rank: int, gpus: int, backend: str, folder: Path, changes: list[Change]) -> None:
    """Move weights for each of the changes, and leave what was sent in a file."""
    torch.set_num_threads(1)
    device = torch.device("cpu")
    if backend == "nccl":
        device = torch.device("cuda", rank)
        torch.cuda.set_device(device)
    dist.init_process_group(
        backend,
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=gpus,
        device_id=device if backend == "nccl" else None,
    )
    transfer = load_example("torch_moves").LayerTransfer
    weights = [torch.asarray(x).to(device, getattr(torch, KINDS[name][1])) for name, x in checkpoint().items()]
    groups: dict[int, Any] = {gpus: None}
    if gpus > len(GROUP):
        groups[len(GROUP)] = dist.new_group(GROUP)
    sent = [moved(transfer, weights, change, groups[change.gpus], device) for change in changes]
    np.save(folder / f"{rank}.npy", sent)
    dist.barrier()
    dist.destroy_process_group()


def moved(
    transfer: type, weights: list[torch.Tensor], change: Change, group: dist.ProcessGroup | None, device: torch.device
) -> int:
    """Bytes that this rank sends for a change, whose weights are checked; none where it isn't in the group."""
    gpu = dist.get_rank(group)
    if gpu < 0:
        return 0
    capacity = change.plan.shape[1] // change.gpus
    own = slice(gpu * capacity, (gpu + 1) * capacity)
    source = change.moves.source
    now = [held(x, change.previous[:, own], 77) for x in weights]
    before = [x.clone() for x in now]
    want = [
        torch.where(lacking(source[:, own], x), x, held(x0, change.plan[:, own], 77))
        for x, x0 in zip(now, weights, strict=True)
    ]
    stream = torch.cuda.Stream() if device.type == "cuda" else None
    posted: list[dist.P2POp] = []
    post = dist.batch_isend_irecv

    def counting(operations: list[dist.P2POp]) -> list[dist.Work]:
        posted.extend(operations)
        return post(operations)

    with mock.patch.object(dist, "batch_isend_irecv", counting):
        for layer in range(LAYERS):
            with no_waiting(device):
                travelling = transfer([x[layer] for x in now], source[layer].tolist(), stream, group)
            for x, old in zip(now, before, strict=True):
                assert torch.equal(x[layer], old[layer])  # the layer can be used as it was
            changed = (source[layer, own] != np.arange(len(source[layer]))[own]) & (source[layer, own] >= 0)
            assert sum(x.nbytes for x in travelling.buffers) == EXPERT_BYTES * changed.sum()
            with no_waiting(device):
                travelling.finish()
            assert not travelling.buffers
    for x, wanted in zip(now, want, strict=True):
        assert torch.equal(x, wanted), change
    return sum(each.tensor.nbytes for each in posted if each.op is dist.isend)


def no_waiting(device: torch.device) -> AbstractContextManager[None]:
    """An error where the host waits for the GPU, if there is one."""
    if device.type == "cpu":
        return nullcontext()
    from tests.support import cuda  # noqa: PLC0415 # with all libraries, which take their time in each process

    return cuda.no_waiting()


def lacking(source: NumPyArray, x: torch.Tensor) -> torch.Tensor:
    """Where nobody can send what a slot is to hold, so that it stays as it was."""
    return torch.asarray(source < 0, device=x.device).reshape(*source.shape, *[1] * (x.ndim - 2))
