"""The layer itself: each way of tokens ends in the outputs of a layer without replicas, and what is wrong is seen."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from benchmarks.moe import batches, setting, slots, systems
from benchmarks.moe.layer import exchanged, gathered
from benchmarks.moe.outputs import WrongOutputError
from benchmarks.moe.place import Place
from benchmarks.moe.placements import CASES, TIME, Case, place

PREFILL, DECODE = systems.tiny(2)
RING_TIME = next(case for case in CASES if case.by == TIME)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Place]:
    """One rank, in this process."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    yield Place(0, 1, torch.device("cpu"), torch.float32, 3)
    dist.destroy_process_group()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_outputs_are_those_of_a_layer_without_replicas(alone: Place, case: Case) -> None:
    made = setting.set_up(alone, PREFILL, 30, case)
    given = setting.batch(alone, PREFILL, 30, 96, 0)
    for layer in (exchanged, gathered):
        assert setting.check(made, given, layer(given, made.slots, made.held)) < 1e-4


def test_one_wrong_weight_is_seen(alone: Place) -> None:
    made = setting.set_up(alone, PREFILL, 30, CASES[0])
    given = setting.batch(alone, PREFILL, 30, 96, 0)
    made.held.down[int(given.chosen[0, 0])] *= 1.01
    with pytest.raises(WrongOutputError, match="tiny, in order: the output differs by"):
        setting.check(made, given, exchanged(given, made.slots, made.held))


def test_few_tokens_are_whole_and_many_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    plan = place(RING_TIME, DECODE, batches.traffic(DECODE, 30, 0).past, 2)
    ways = slots.Slots(plan, TIME, torch.device("cpu"), 50)
    expert = int(plan.logcnt[0].argmax())
    for tokens, taken in ((30, 1), (3000, 2)):
        each = torch.full((1, 2, DECODE.experts), 20, dtype=torch.int32)
        each[0, :, expert] = tokens
        monkeypatch.setattr(slots, "counted", lambda *_, each=each: each)
        chosen = torch.arange(DECODE.experts, dtype=torch.int32)[:, None].repeat(1, 20)
        found = ways(torch.cat([chosen.ravel(), torch.full((tokens - 20,), expert)]).int()[:, None]).ravel().long()
        assert torch.equal(ways.row[0][found[: chosen.numel()]], chosen.ravel())
        everything = [set(found[: chosen.numel()].view(-1, 20)[each].tolist()) for each in range(DECODE.experts)]
        assert all(len(slot) == 1 for each, slot in enumerate(everything) if each != expert)
        assert len(found[ways.row[0][found] == expert].unique()) <= taken


def test_choices_follow_loads_and_are_different_for_a_token() -> None:
    chosen = batches.chosen(PREFILL, 30, tokens=4000, number=1, rank=1, seed=0)
    assert chosen.shape == (4000, 2)
    assert (chosen[:, 0] != chosen[:, 1]).all()
    load = batches.traffic(PREFILL, 30, 0).later[1]
    assert np.corrcoef(np.bincount(chosen.ravel(), minlength=16), load)[0, 1] > 0.95
    assert not np.array_equal(chosen, batches.chosen(PREFILL, 30, tokens=4000, number=1, rank=0, seed=0))
