"""What finding slots by shares takes, part by part, each in a CUDA graph of its own."""

from collections.abc import Callable, Iterator

from benchmarks.moe import clock
from benchmarks.moe.batches import traffic
from benchmarks.moe.graphs import Recorded
from benchmarks.moe.place import Place
from benchmarks.moe.placements import CASES, SHARE, TURN, place
from benchmarks.moe.rows import Row
from benchmarks.moe.setting import batch, worth
from benchmarks.moe.slots import Slots, counted
from benchmarks.moe.systems import System
from eplb_xp import quotas, route, share_tokens


def measured(where: Place, system: System, announce: Callable[[str], None]) -> Iterator[Row]:
    """A row for each number of tokens: the slowest rank's time of each part."""
    case = next(case for case in CASES if case.by == SHARE)
    layer = system.layers[-1]
    announce(f"{system.name} {system.phase}: finding slots, part by part")
    plan = place(case, system, traffic(system, layer, where.seed).past, where.gpus)
    found = Slots(plan, case.by, where.device, worth(where, system))
    in_turn = Slots(plan, TURN, where.device, worth(where, system))
    for tokens in system.tokens:
        chosen = batch(where, system, layer, tokens, 0).chosen
        counts = counted(chosen, system.experts)
        total = counts.sum(dim=1, dtype=counts.dtype)
        shares = share_tokens(found.plan, total, where.gpus, prepared=found.prepared)
        quota = quotas(shares, found.plan, counts, rank=found.rank)
        parts = {
            "counts": lambda: counted(chosen, system.experts),  # noqa: B023
            "shares": lambda: share_tokens(found.plan, total, where.gpus, prepared=found.prepared),  # noqa: B023
            "quotas": lambda: quotas(shares, found.plan, counts, rank=found.rank),  # noqa: B023
            "route": lambda: route(chosen, found.row, quota[0]),  # noqa: B023
            "all": lambda: found(chosen),  # noqa: B023
            "turns": lambda: in_turn(chosen),  # noqa: B023
        }
        own = {name: clock.in_a_row(where.device, Recorded(call, where.device)) for name, call in parts.items()}
        everyones = where.everyones(own)
        yield {
            "system": system.name,
            "phase": system.phase,
            "tokens": tokens,
            **{f"{name}_s": max(each[name] for each in everyones) for name in own},
        }
