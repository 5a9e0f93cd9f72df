"""The layer on one rank: tokens go to their slots, are computed there, and come back."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.distributed as dist

from benchmarks.moe.collectives import all_gather, reduce_scatter
from benchmarks.moe.experts import Weights, products

# Finds the slots [tokens, choices] of choices.
Find = Callable[[torch.Tensor], torch.Tensor]
# Told what has been done, so that it can be timed.
Mark = Callable[[str], None]


class Batch(NamedTuple):
    """What comes to one rank."""

    x: torch.Tensor  # [tokens, hidden]
    chosen: torch.Tensor  # [tokens, choices] int32
    gate: torch.Tensor  # [tokens, choices] float32


def exchanged(batch: Batch, find: Find, held: Weights, mark: Mark = lambda _: None) -> torch.Tensor:
    """Send each token to where it goes only, as prefill does: how many those are, the host must know."""
    choices, size, gpus = batch.chosen.shape[1], len(held.up), dist.get_world_size()
    slot = find(batch.chosen).ravel().long()
    mark("slots")
    order = slot.argsort(stable=True)
    counts = torch.zeros(gpus * size, dtype=torch.int64, device=slot.device)
    counts.scatter_add_(0, slot, torch.ones_like(slot))
    arriving = torch.empty_like(counts)
    dist.all_to_all_single(arriving, counts)
    arriving = arriving.view(gpus, size)
    sent, received = torch.stack([counts.view(gpus, size).sum(dim=1), arriving.sum(dim=1)]).tolist()
    inbox = _passed(batch.x[order // choices], received, sent)
    # By ranks, and by slots within: now by slots.
    numbers = torch.arange(size, device=slot.device).repeat(gpus)
    by_slot = numbers.repeat_interleave(arriving.ravel(), output_size=len(inbox)).argsort(stable=True)
    rows, until = inbox[by_slot], arriving.sum(dim=0).cumsum(dim=0, dtype=torch.int32)
    mark("dispatch")
    made = products(held, rows, until)
    mark("products")
    outbox = torch.empty_like(inbox)
    outbox[by_slot] = made
    mine = batch.x.new_empty(len(order), batch.x.shape[1])
    mine[order] = _passed(outbox, sent, received)
    return _combined(mine.view(*batch.chosen.shape, -1), batch.gate)


def gathered(batch: Batch, find: Find, held: Weights, mark: Mark = lambda _: None) -> torch.Tensor:
    """Send all tokens to all ranks, as decode may: every array has one size, so that a CUDA graph holds the step."""
    (tokens, choices), size = batch.chosen.shape, len(held.up)
    slot = find(batch.chosen).int()
    mark("slots")
    x, slot, gate = (_all(each) for each in (batch.x, slot, batch.gate))
    own = slot.ravel() - dist.get_rank() * size
    is_mine = (own >= 0) & (own < size)
    key = torch.where(is_mine, own, size).long()
    order = key.argsort(stable=True)
    counts = torch.zeros(size + 1, dtype=torch.int32, device=key.device)
    counts.scatter_add_(0, key, torch.ones_like(key, dtype=torch.int32))
    rows, until = x[order // choices], counts[:size].cumsum(dim=0, dtype=torch.int32)
    mark("dispatch")
    made = products(held, rows, until)
    mark("products")
    mine = torch.empty_like(made)
    mine[order] = made
    # What is not of this rank is not defined, and no number perhaps.
    mine = torch.where(is_mine[:, None], mine, 0).view(len(x), choices, -1)
    out = x.new_empty(tokens, x.shape[1])
    reduce_scatter(out, _combined(mine, gate))
    return out


def _passed(rows: torch.Tensor, received: list[int], sent: list[int]) -> torch.Tensor:
    """Rows to and from all ranks, so many from each and so many to each."""
    result = rows.new_empty(sum(received), *rows.shape[1:])
    dist.all_to_all_single(result, rows, received, sent)
    return result


def _all(own: torch.Tensor) -> torch.Tensor:
    everyones = own.new_empty(dist.get_world_size() * len(own), *own.shape[1:])
    all_gather(everyones, own.contiguous())
    return everyones


def _combined(made: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
    """Of each token the sum over its choices [tokens, choices, hidden], in the dtype that it came in."""
    return torch.einsum("tkh,tk->th", made, gate.to(made.dtype))
