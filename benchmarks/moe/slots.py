"""Which slot each token goes to, found on the device, without a wait of the host."""

import torch
import torch.distributed as dist

from benchmarks.moe.collectives import all_gather
from benchmarks.moe.placements import ACTIVE, TIME, TURN
from eplb_xp import Plan, Shares, prepare_shares, quotas, route, share_tokens
from eplb_xp.simulation.arrays import Numbers


class Slots:
    """The way of tokens to the replicas of one layer's plan.

    With few tokens a slot takes as long as its weights take to be read, which is as long as `worth` tokens do. So
    `ACTIVE` gives each expert that has tokens one slot, and GPUs equally many of them; `TIME` gives it one for each
    `worth` tokens, where the busiest GPU takes less time so than by equally many tokens.
    """

    def __init__(self, plan: Plan[Numbers], by: str, device: torch.device, worth: int) -> None:
        self.by, self.worth, self.gpus = by, worth, dist.get_world_size()
        self.rank = torch.tensor(dist.get_rank(), device=device)  # where it is used: no copy in each step
        self.plan = Plan(*(torch.tensor(x, device=device) for x in plan))
        self.row = [x[0] for x in self.plan]
        self.numbers = torch.arange(plan.phy2log.shape[1], dtype=torch.int32, device=device)
        self.prepared = None if by == TURN else prepare_shares(self.plan, self.gpus)

    def __call__(self, chosen: torch.Tensor) -> torch.Tensor:
        """The slots [tokens, choices] of choices [tokens, choices]."""
        if self.by == TURN:
            return route(chosen, self.row)
        counts = counted(chosen, self.plan.logcnt.shape[1])
        tokens = counts.sum(dim=1, dtype=torch.int32)
        if self.by == ACTIVE:
            return self._active(tokens)[chosen.long()]
        shares = self._shared(tokens)
        if self.by == TIME:
            parts = self._in_parts(shares, tokens, (tokens + self.worth - 1) // self.worth)
            is_less = self._time(parts.share) < self._time(shares.share)
            shares = shares._replace(share=torch.where(is_less, parts.share, shares.share))
        return route(chosen, self.row, quotas(shares, self.plan, counts, rank=self.rank)[0])

    def _shared(self, tokens: torch.Tensor) -> Shares[torch.Tensor]:
        return share_tokens(self.plan, tokens, self.gpus, prepared=self.prepared)

    def _active(self, tokens: torch.Tensor) -> torch.Tensor:
        """The one slot of each expert that has tokens [experts]."""
        shares = self._shared((tokens > 0).int())
        taken = torch.where(shares.share[0] > 0, self.numbers, -1)
        slot = torch.full_like(tokens[0], -1)
        return slot.scatter_reduce_(0, self.row[0].long(), taken, "amax")

    def _in_parts(
        self, shares: Shares[torch.Tensor], tokens: torch.Tensor, number: torch.Tensor
    ) -> Shares[torch.Tensor]:
        """Shares of so many equal parts of each expert's tokens, GPUs having equally many parts."""
        phy2log, log2phy, _ = self.row
        parts = self._shared(number).share[0]
        is_one = log2phy >= 0
        slot = log2phy.clamp(min=0).long()
        until = torch.where(is_one, parts[slot], 0).cumsum(dim=-1)
        until = tokens[0, :, None].long() * until // number[0, :, None].clamp(min=1)
        each = until.diff(dim=-1, prepend=torch.zeros_like(until[:, :1]))
        share = torch.zeros_like(phy2log, dtype=torch.int64)
        share.scatter_add_(0, slot.ravel(), torch.where(is_one, each, 0).ravel())
        return shares._replace(share=share.to(shares.share.dtype)[None])

    def _time(self, share: torch.Tensor) -> torch.Tensor:
        """What the busiest GPU takes, in tokens."""
        each = torch.where(share > 0, share.clamp(min=self.worth), 0)
        return each.view(self.gpus, -1).sum(dim=1).amax()


def counted(chosen: torch.Tensor, experts: int) -> torch.Tensor:
    """Tokens of each rank for each expert [layers, ranks, experts]: here one layer."""
    flat = chosen.ravel().long()
    own = torch.zeros(experts, dtype=torch.int32, device=chosen.device)
    own.scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.int32))
    everyones = own.new_empty(dist.get_world_size() * experts)
    all_gather(everyones, own)
    return everyones.view(1, -1, experts)
