"""Processes that plan with an adapter and move weights with the engine's own code: each checks all that it then holds.

``python -m tests.in_engines.transfers vllm|sglang FOLDER RANK RANKS FILE [up|down]`` is one of them; the file is where
they meet. Without a last argument they plan three times; with it, half of vLLM's ranks come or go.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from tests.in_engines import of_sglang, of_vllm
from tests.support.packages.standing_in import stand_in

LAYERS, EXPERTS, PER_RANK = 3, 8, 6


def weights_of(placement: torch.Tensor, rank: int) -> list[list[torch.Tensor]]:
    """Of each layer two arrays, with a number of the expert in every entry of a slot."""
    own = placement[:, rank * PER_RANK : (rank + 1) * PER_RANK]
    number = own + EXPERTS * torch.arange(LAYERS)[:, None]
    return [[of_layer[:, None].repeat(1, width).float() for width in (5, 3)] for of_layer in number]


def main(engine: str, folder: Path, rank: int, ranks: int, meeting: str, *, scale: str = "") -> None:
    """Loads that change, and a placement in order before them."""
    stand_in(folder)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=ranks)
    placement = (torch.arange(PER_RANK * ranks) % EXPERTS).repeat(LAYERS, 1)
    held = weights_of(placement, rank)
    rearrange: Any = of_vllm.rearranger(held) if engine == "vllm" else of_sglang.rearranger(held, placement, EXPERTS)
    drawn = np.random.default_rng(0)
    loads = [torch.asarray(drawn.poisson(drawn.lognormal(4, 1, (LAYERS, EXPERTS)))) for _ in range(3)]
    half = ranks // 2
    if scale == "up":  # the others hold nothing yet
        few = placement[:, : PER_RANK * half]
        new = rearrange(few, loads[0], rank_mapping={i: i for i in range(half)})
        empty = torch.full_like(few, -1)
        moved = check(held, torch.cat([few, empty], dim=1), new, rank)
    elif scale == "down":
        mapping = {i: i if i < half else -1 for i in range(ranks)}
        new = rearrange(placement, loads[0], rank_mapping=mapping)
        assert new.shape[1] == PER_RANK * half
        moved = check(held, placement[:, : PER_RANK * half], new, rank) if rank < half else 0
        moved = max(each(moved))
    else:
        moved = 0
        for load in loads:
            new = rearrange(placement.clone(), load)
            moved += check(held, placement, new, rank)
            placement = new
    dist.destroy_process_group()
    print("moved", moved)


def check(held: list[list[torch.Tensor]], old: torch.Tensor, new: torch.Tensor, rank: int) -> int:
    """How many slots receive another expert; all that this rank holds is as the map says, and all say the same."""
    for ours, wanted in zip(held, weights_of(new, rank), strict=True):
        assert all(map(torch.equal, ours, wanted)), "a slot holds another expert than the map says"
    return int((old != new).sum())


def each(number: int) -> list[int]:
    """The numbers of all ranks."""
    of_all = [torch.zeros(1, dtype=torch.int64) for _ in range(dist.get_world_size())]
    dist.all_gather(of_all, torch.tensor([number]))
    return [int(x) for x in of_all]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], scale="".join(sys.argv[6:]))
