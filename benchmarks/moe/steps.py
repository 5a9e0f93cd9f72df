"""Batch after batch in every case, right first, then timed."""

from collections.abc import Callable, Iterator
from functools import partial

import torch

from benchmarks.moe import clock
from benchmarks.moe.experts import products
from benchmarks.moe.graphs import Recorded
from benchmarks.moe.layer import Batch, exchanged, gathered
from benchmarks.moe.place import Place
from benchmarks.moe.placements import ACTIVE, CASES, TIME
from benchmarks.moe.rows import Row
from benchmarks.moe.setting import Setting, batch, check, set_up, tokens_of_slots
from benchmarks.moe.systems import DECODE, System
from eplb_xp.simulation.arrays import Numbers


def measured(where: Place, system: System, announce: Callable[[str], None]) -> Iterator[Row]:
    """A row for each batch: the tokens of each slot, and what each part took on each rank."""
    timed = _in_graphs if system.phase == DECODE else _by_phases
    for layer in system.layers:
        for case in CASES:
            if case.by in {ACTIVE, TIME} and system.phase != DECODE:
                continue
            announce(f"{system.name} {system.phase}, layer {layer}: {case.name}")
            made = set_up(where, system, layer, case)
            for tokens in system.tokens:
                yield from timed(made, tokens)
            del made


def _row(made: Setting, slots: Numbers, own: dict[str, float], *, tokens: int, number: int) -> Row:
    """What one batch took, on all ranks, given the tokens of slots."""
    everyones = made.where.everyones(own)
    return {
        "system": made.system.name,
        "phase": made.system.phase,
        "layer": made.layer,
        "case": made.case.name,
        "tokens": tokens,
        "batch": number,
        "gpus": made.where.gpus,
        "slots": slots.tolist(),
        **{f"{name}_s": [each[name] for each in everyones] for name in own},
    }


def _by_phases(made: Setting, tokens: int) -> Iterator[Row]:
    """Prefill: the slots of tokens are found in a graph, all else is called."""
    where = made.where
    static = batch(where, made.system, made.layer, tokens, 0)
    slots = Recorded(lambda: made.slots(static.chosen), where.device)
    for number in range(made.system.batches):
        given = batch(where, made.system, made.layer, tokens, number)
        static.chosen.copy_(given.chosen)
        given = given._replace(chosen=static.chosen)
        step = partial(exchanged, given, lambda _: slots(), made.held)
        output = step()
        if number == 0:
            check(made, given, output)
        total = tokens_of_slots(made, slots.result)
        yield _row(made, total, clock.phases(where.device, step), tokens=tokens, number=number)


def _in_graphs(made: Setting, tokens: int) -> Iterator[Row]:
    """Decode: the whole step in one graph; beside it one that finds slots, and one of the products alone."""
    where = made.where
    static = batch(where, made.system, made.layer, tokens, 0)
    whole = Recorded(lambda: gathered(static, made.slots, made.held), where.device)
    slots = Recorded(lambda: made.slots(static.chosen), where.device)
    rows = static.x.new_ones(static.chosen.numel() * where.gpus, static.x.shape[1])
    until = torch.zeros(len(made.held.up), dtype=torch.int32, device=where.device)
    alone = Recorded(lambda: products(made.held, rows, until), where.device)
    for number in range(made.system.batches):
        given = batch(where, made.system, made.layer, tokens, number)
        _fill(static, given)
        output = whole()
        if number == 0:
            check(made, given, output)
        total = tokens_of_slots(made, slots())
        until.copy_(torch.from_numpy(total.reshape(where.gpus, -1)[where.rank]).cumsum(dim=0))
        own = {
            "layer": clock.in_a_row(where.device, whole),
            "slots": clock.in_a_row(where.device, slots),
            "products": clock.in_a_row(where.device, alone),
        }
        yield _row(made, total, own, tokens=tokens, number=number)


def _fill(static: Batch, given: Batch) -> None:
    for into, values in zip(static, given, strict=True):
        into.copy_(values)
