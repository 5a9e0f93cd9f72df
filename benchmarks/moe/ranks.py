"""One process for each GPU, or for each rank that a processor stands for."""

import os
import tempfile
from collections.abc import Callable

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from benchmarks.moe.place import Place

# What a rank does; rank 0 says what the work is.
Work = Callable[[Place], None]


def run(work: Work, gpus: int, seed: int) -> None:
    """Start the ranks, with NCCL where there are as many GPUs, else with gloo; ends when all have ended."""
    on_gpus = torch.cuda.device_count() >= gpus and dist.is_nccl_available()
    with tempfile.TemporaryDirectory() as folder:
        spawn(_rank, (gpus, seed, f"file://{folder}/meeting", work, on_gpus), nprocs=gpus)


def _rank(rank: int, gpus: int, seed: int, meeting: str, work: Work, on_gpus: bool) -> None:  # noqa: PLR0917 # spawn's
    if on_gpus:
        # JAX, too, sees this rank's GPU and no other.
        there = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = there[rank] if rank < len(there) and there[rank] else str(rank)
        device = torch.device("cuda", 0)
        dist.init_process_group("nccl", init_method=meeting, rank=rank, world_size=gpus, device_id=device)
        where = Place(rank, gpus, device, torch.bfloat16, seed)
    else:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=gpus)
        where = Place(rank, gpus, torch.device("cpu"), torch.float32, seed)
    with torch.no_grad():
        work(where)
    dist.barrier()
    dist.destroy_process_group()
