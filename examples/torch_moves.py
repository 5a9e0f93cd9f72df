"""Expert weights on their way to a new plan, one layer at a time, beside the computation, on several PyTorch processes.

``python examples/torch_moves.py`` starts one process for each GPU: with NCCL if this machine has so many of them, else
on the CPU with gloo; so does ``torchrun --nproc-per-node 4 examples/torch_moves.py``. Loads change, a few experts move,
all layers are computed while each of them is on its way, and in the end every slot's weights are those of its expert.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

import eplb_xp

LAYERS, EXPERTS, DIM, HIDDEN, TOKENS = 6, 64, 64, 32, 16


class LayerTransfer:
    """The weights of one layer on their way; till `finish` puts them in their slots, the layer stays as it was.

    Parameters
    ----------
    held : sequence of tensors [slots of a GPU, ...]
        The layer's weights on this rank, contiguous, of any dtypes: what is of slot ``s`` lies at ``s`` in all of them.
    source : sequence of int [slots of all GPUs]
        The layer's row of ``Moves.source``, in host memory, the same on all ranks. Slots of -1, which nobody can send,
        are left alone: load them after `finish`.
    stream : torch.cuda.Stream, optional
        Where transfers run on a GPU, so that the computation's stream waits for them in `finish` and not before.
    group : torch.distributed.ProcessGroup, optional
        Its ranks are the plan's GPUs. With NCCL it must have been set up, by any collective or by ``device_id``.
    """

    def __init__(
        self,
        held: Sequence[torch.Tensor],
        source: Sequence[int],
        stream: torch.cuda.Stream | None = None,
        group: dist.ProcessGroup | None = None,
    ) -> None:
        rank, size = dist.get_rank(group), len(held[0])
        if len(source) != size * dist.get_world_size(group):
            raise ValueError(f"{len(source)} slots are not {size} on each of {dist.get_world_size(group)} ranks")
        moving = [(slot, origin) for slot, origin in enumerate(source) if origin not in {-1, slot}]
        self.held, self.stream = held, stream
        self.slots = [slot % size for slot, _ in moving if slot // size == rank]
        self.buffers = [x.new_empty(len(self.slots), *x.shape[1:]) for x in held]
        arriving = iter(zip(*(x.split(1) for x in self.buffers), strict=True))
        operations, post = [], partial(dist.P2POp, group=group)
        if stream:
            stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for slot, origin in moving:  # the same order on all ranks, by which NCCL knows what belongs together
                receiver, sender = slot // size, origin // size
                leaving = [x.narrow(0, origin % size, 1) for x in held] if sender == rank else []
                rows = next(arriving) if receiver == rank else ()
                if receiver == sender:
                    for row, x in zip(rows, leaving, strict=True):
                        row.copy_(x)
                else:  # as bytes, since NCCL doesn't know every dtype
                    operations += [post(dist.isend, x.view(torch.uint8), group_peer=receiver) for x in leaving]
                    operations += [post(dist.irecv, x.view(torch.uint8), group_peer=sender) for x in rows]
            self.works = dist.batch_isend_irecv(operations) if operations else []

    def finish(self) -> None:
        """Overwrite slots, as soon as what they hold has been read; on a GPU its streams wait, and the host doesn't."""
        with torch.cuda.stream(self.stream):
            for work in self.works:
                work.wait()
        if self.stream:
            torch.cuda.current_stream().wait_stream(self.stream)
        for x, buffer in zip(self.held, self.buffers, strict=True):
            for slot, row in zip(self.slots, buffer, strict=True):
                x[slot].copy_(row)
        self.buffers.clear()  # before the next layer's are made
        self.works.clear()


def checkpoint(seed: int, device: torch.device) -> list[torch.Tensor]:
    """The weights of all experts, [layers, experts, ...] each: two matrices and a scale."""
    same = torch.Generator().manual_seed(seed)
    shapes = {(DIM, HIDDEN): torch.bfloat16, (HIDDEN, DIM): torch.bfloat16, (): torch.float32}
    return [torch.randn(LAYERS, EXPERTS, *x, generator=same).to(device, kind) for x, kind in shapes.items()]


def plans(seed: int, replicas: int, gpus: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The plan in use and the one to follow, `phy2log` [layers, slots] each, the same on all ranks."""
    rng = np.random.default_rng(seed)
    before = rng.lognormal(0, 1, (LAYERS, EXPERTS))
    now = before * rng.lognormal(0, 0.3, before.shape)
    used = eplb_xp.rebalance_experts(before, replicas, 1, 1, gpus).phy2log
    plan = eplb_xp.rebalance_experts(now, replicas, 1, 1, gpus, previous=used, max_moves=replicas // 10)
    return torch.from_numpy(used), torch.from_numpy(plan.phy2log)


def compute(tokens: torch.Tensor, layer: Sequence[torch.Tensor]) -> torch.Tensor:
    """What the experts of a layer make of some tokens [experts, tokens, dim]."""
    up, down, scale = layer
    return torch.relu(tokens @ up) @ down * scale[:, None, None]


def rank_main(rank: int, gpus: int, replicas: int, seed: int, meeting: str) -> None:
    """One rank: hold, move, compute meanwhile, compare."""
    on_gpus = torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", gpus)) and dist.is_nccl_available()
    device = torch.device("cuda", rank % torch.cuda.device_count()) if on_gpus else torch.device("cpu")
    stream = None
    if on_gpus:
        torch.cuda.set_device(device)
        stream = torch.cuda.Stream()
        dist.init_process_group("nccl", init_method=meeting, rank=rank, world_size=gpus, device_id=device)
    else:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=gpus)
    weights = checkpoint(seed, device)
    used, plan = plans(seed, replicas, gpus)
    todo = eplb_xp.moves(used, plan, gpus)
    own = slice(rank * replicas // gpus, (rank + 1) * replicas // gpus)
    held = [[x[layer, used[layer, own]] for x in weights] for layer in range(LAYERS)]
    tokens = torch.randn(TOKENS, DIM, device=device, dtype=torch.bfloat16)

    outputs = []
    for moving in range(LAYERS):
        transfer = LayerTransfer(held[moving], todo.source[moving].tolist(), stream)
        # Those that have moved, the one on its way, and those still to move.
        outputs.append([compute(tokens, layer) for layer in held])
        transfer.finish()  # from here on this layer's tokens are sent where the new plan says

    for layer, now in enumerate(held):
        then, new = ([x[layer, phy2log[layer, own]] for x in weights] for phy2log in (used, plan))
        for ours, expected in zip(now, new, strict=True):
            torch.testing.assert_close(ours, expected, rtol=0, atol=0)
        for moving, step in enumerate(outputs):
            expected = compute(tokens, new if layer < moving else then)
            torch.testing.assert_close(step[layer], expected, rtol=0, atol=0)
    dist.barrier()  # so every rank has compared, too
    if rank == 0:
        size = sum(x[0, 0].nbytes for x in weights)
        print(f"{gpus} ranks with {dist.get_backend()}: {todo.bytes(size).total} bytes of {size * plan.numel()} moved")
        changed = (todo.source != torch.arange(replicas)).reshape(LAYERS, gpus, -1).sum(dim=2)
        print(f"buffer of a rank: {changed.max() * size} bytes at most, a layer being {size * replicas // gpus}")
        print("All slots hold their experts; every layer was right while others were on their way.")
    dist.destroy_process_group()


def main() -> None:
    """Read the arguments and start the ranks, if torchrun hasn't."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--gpus", type=int, default=4, help="processes, one for each GPU (default: 4; torchrun says its own)"
    )
    parser.add_argument("--replicas", type=int, default=80, help=f"slots for {EXPERTS} experts (default: 80)")
    parser.add_argument("--seed", type=int, default=0, help="of loads and weights (default: 0)")
    args = parser.parse_args()
    gpus = int(os.environ.get("WORLD_SIZE", args.gpus))
    try:  # sizes that don't fit are refused here, in one line, and not by every rank
        plans(args.seed, args.replicas, gpus)
    except ValueError as error:
        parser.error(str(error))
    if "RANK" in os.environ:
        rank_main(int(os.environ["RANK"]), gpus, args.replicas, args.seed, "env://")
        return
    with tempfile.TemporaryDirectory() as folder:
        spawn(rank_main, (gpus, args.replicas, args.seed, f"file://{folder}/meeting"), nprocs=gpus)


if __name__ == "__main__":
    main()
