"""Where a rank works."""

from typing import Any, NamedTuple

import torch
import torch.distributed as dist


class Place(NamedTuple):
    """One of the ranks."""

    rank: int
    gpus: int
    device: torch.device
    dtype: torch.dtype
    seed: int

    def everyones(self, own: Any) -> list[Any]:
        """What each rank has, on all of them."""
        found: list[Any] = [None] * self.gpus
        dist.all_gather_object(found, own)
        return found
