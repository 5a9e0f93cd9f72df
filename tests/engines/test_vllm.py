"""vLLM's contracts, of each version."""

import logging
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eplb_xp import evaluate, moves, rebalance_experts
from eplb_xp.engines import vllm
from tests.support import engines
from tests.support.engines import EXPERTS, LAYERS, LOAD, RANKS, SLOTS, is_placement
from tests.support.threads import at_once
from tests.support.vllm_policy import OLD, policy


def test_nothing_is_done_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = engines.vllm(monkeypatch, engines.OfPhy2log)
    vllm.register()
    assert policies == {"default": engines.OfPhy2log}


def test_it_is_the_default_policy_of_the_registry(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    policies = engines.vllm(monkeypatch, engines.OfPhy2log)
    monkeypatch.setenv("EPLB_XP_POLICY", "joint,max_moves=10%")
    with caplog.at_level(logging.INFO, "eplb_xp"):
        vllm.register()
        registered = policies["default"]
        vllm.register()
    assert policies == {"default": registered}
    assert issubclass(registered, engines.OfPhy2log)
    assert registered.preserve_intragpu_slots() == "vLLM's"
    (line,) = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"eplb_xp \S+ plans for vLLM 0.33.0: joint,max_moves=10%, (native code|NumPy alone .*)", line)
    phy2log = registered.rebalance_experts(torch.asarray(LOAD), SLOTS, 1, 1, RANKS, OLD)
    assert 0 < moves(OLD, phy2log, RANKS).received.sum() <= LAYERS * 4


def test_bad_settings_end_the_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = engines.vllm(monkeypatch, engines.OfPhy2log)
    monkeypatch.setenv("EPLB_XP_POLICY", "best")
    with pytest.raises(ValueError, match="EPLB_XP_POLICY must begin with a policy"):
        vllm.register()
    assert policies == {"default": engines.OfPhy2log}


def test_lines_go_where_those_of_vllm_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives handlers to its own logger, none to the root."""
    ours, theirs, root = logging.getLogger("eplb_xp"), logging.getLogger("vllm"), logging.getLogger()
    lines: list[str] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: lines.append(record.getMessage()))
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(theirs, "handlers", [handler])
    monkeypatch.setattr(theirs, "level", logging.INFO)
    engines.vllm(monkeypatch, engines.OfPhy2log)
    monkeypatch.setenv("EPLB_XP_POLICY", "swap")
    vllm.register()
    assert len(lines) == 1
    assert ours.handlers == [handler]


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("groups", "nodes"), [(1, 1), (4, 2), (None, 2), (0, 1), (5, 2), (4, 3)])
def test_phy2log_since_0_19(dtype: torch.dtype, groups: int | None, nodes: int) -> None:
    """Loads of any dtype, and groups that there are not or that don't divide."""
    load = torch.asarray(LOAD).to(dtype)
    before = load.clone()
    phy2log = policy().rebalance_experts(load, SLOTS, groups, nodes, RANKS)
    assert phy2log.dtype == torch.int64
    assert phy2log.device.type == "cpu"
    assert phy2log.shape == (LAYERS, SLOTS)
    assert phy2log.is_contiguous()
    assert torch.equal(load, before)
    kept = (4, 2) if (groups, nodes) == (4, 2) else (1, 1)
    assert torch.equal(phy2log, rebalance_experts(load, SLOTS, *kept, RANKS).phy2log)


def test_by_keyword() -> None:
    names = ("num_replicas", "num_groups", "num_nodes", "num_ranks")
    by_name: dict[str, Any] = dict(zip(names, (SLOTS, 1, 1, RANKS), strict=True))
    load = torch.asarray(LOAD)
    phy2log = policy().rebalance_experts(weight=load, **by_name, old_global_expert_indices=OLD)
    assert torch.equal(phy2log, policy().rebalance_experts(load, SLOTS, 1, 1, RANKS, OLD))


def test_the_triple_of_0_13_to_0_18() -> None:
    made = policy(engines.OfTriple).rebalance_experts(torch.asarray(LOAD), SLOTS, 1, 1, RANKS, OLD)
    assert isinstance(made, tuple)
    phy2log, log2phy, logcnt = made
    assert [x.dtype for x in made] == [torch.int64] * 3
    assert log2phy.shape == (LAYERS, EXPERTS, SLOTS - EXPERTS + 1)
    assert torch.equal((log2phy >= 0).sum(dim=-1), logcnt)
    held = torch.take_along_dim(phy2log[:, None, :], log2phy.clip(0), dim=-1)
    assert ((held == torch.arange(EXPERTS)[:, None]) | (log2phy < 0)).all()


def test_the_function_up_to_0_12(monkeypatch: pytest.MonkeyPatch) -> None:
    algorithm, state = engines.old_vllm(monkeypatch)
    monkeypatch.setenv("EPLB_XP_POLICY", "swap")
    vllm.register()
    assert algorithm.rebalance_experts is state.rebalance_experts
    made = state.rebalance_experts(torch.asarray(LOAD), SLOTS, 1, 1, RANKS)
    expected = rebalance_experts(torch.asarray(LOAD), SLOTS, 1, 1, RANKS, policy="swap")
    assert all(map(torch.equal, made, expected))


def test_other_failures_of_an_import_are_not_taken_for_an_old_version(monkeypatch: pytest.MonkeyPatch) -> None:
    engines.install(monkeypatch, "vllm", __path__=[])
    engines.install(monkeypatch, "vllm.distributed")
    monkeypatch.setenv("EPLB_XP_POLICY", "swap")
    with pytest.raises(ModuleNotFoundError, match=r"vllm\.distributed\.eplb"):
        vllm.register()


@pytest.mark.parametrize("max_moves", [None, "10%"])
@pytest.mark.parametrize("groups", [1, 4])
def test_experts_that_stay_keep_their_slots(max_moves: str | None, groups: int) -> None:
    """vLLM's first placement, which splits groups over nodes, and what was planned then."""
    load = torch.asarray(LOAD)
    first = policy(max_moves=max_moves).rebalance_experts(load, SLOTS, groups, groups, RANKS, OLD)
    later = policy(max_moves=max_moves).rebalance_experts(load.flip(0), SLOTS, groups, groups, RANKS, first)
    for old, new in ((OLD, first), (first, later)):
        assert is_placement(new)
        assert int(moves(old, new, RANKS).received.sum()) == int((old != new).sum())
    if max_moves:
        assert ((first != later).sum(dim=1) <= SLOTS // 10).all()
    # The first placement splits groups, so that no budget holds the first plan back.
    if groups > 1:
        assert evaluate((first,) * 3, load, RANKS).doubled.sum() == 0


@pytest.mark.parametrize("max_moves", [None, "10%", "0"])
@pytest.mark.parametrize("ranks", [6, 10, 16])
def test_ranks_come_and_go(ranks: int, max_moves: str | None) -> None:
    """Scaling up the old map ends in -1, or is narrower; scaling down it is wider. What can stay does."""
    slots, load = ranks * SLOTS // RANKS, torch.asarray(LOAD)
    made = policy(max_moves=max_moves).rebalance_experts(load, slots, 1, 1, ranks, OLD)
    assert made.shape == (LAYERS, slots)
    assert is_placement(made)
    padded = torch.full((LAYERS, max(slots, SLOTS)), -1)
    padded[:, :SLOTS] = OLD
    assert torch.equal(made, policy(max_moves=max_moves).rebalance_experts(load, slots, 1, 1, ranks, padded))
    if max_moves == "0":
        shared = min(slots, SLOTS)
        lost = EXPERTS - len(set(OLD[0, :shared].tolist()))
        assert ((made[:, :shared] != OLD[:, :shared]).sum(dim=1) <= lost).all()


def test_odd_old_maps() -> None:
    """Of other layers, of ids that there are not, of floats: what can't be kept isn't."""
    load = torch.asarray(LOAD)
    fresh = policy().rebalance_experts(load, SLOTS, 1, 1, RANKS)
    for old in (OLD[:1], OLD.float(), OLD[0], OLD[:, None, :]):
        assert torch.equal(policy(max_moves="1").rebalance_experts(load, SLOTS, 1, 1, RANKS, old), fresh)
    for old in (OLD * 1000, OLD - 100, torch.full_like(OLD, -1), OLD.to(torch.int32)):
        assert is_placement(policy(max_moves="1").rebalance_experts(load, SLOTS, 1, 1, RANKS, old))


@given(st.data())
def test_no_load_and_no_map_is_an_error(data: st.DataObject) -> None:
    numbers = st.sampled_from([0.0, -1.0, 1.0, 7.5, float("nan"), float("inf"), float("-inf"), 1e39, 3e38])
    load = torch.asarray(data.draw(st.lists(st.lists(numbers, min_size=6, max_size=6), min_size=2, max_size=2)))
    entries = st.integers(-3, 8)
    rows = st.integers(0, 16).flatmap(
        lambda n: st.lists(st.lists(entries, min_size=n, max_size=n), min_size=2, max_size=2)
    )
    old = torch.asarray(data.draw(rows), dtype=torch.int64)
    groups, nodes = data.draw(st.sampled_from([0, None, 1, 2, 3, 5])), data.draw(st.sampled_from([1, 2, 3, 4]))
    asked: Any = policy(
        policy=data.draw(st.sampled_from(["greedy", "joint", "ring"])),
        max_moves=data.draw(st.sampled_from([None, "0", "10%", "5"])),
    )
    assert is_placement(asked.rebalance_experts(load, 8, groups, nodes, 4, old), 6)


@pytest.mark.parametrize("max_moves", [None, "10%"])
def test_a_stage_without_such_layers(max_moves: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Of a pipeline: no layers, and no groups."""
    with caplog.at_level(logging.INFO, "eplb_xp"):
        made = policy(max_moves=max_moves).rebalance_experts(torch.asarray(LOAD[:0]), SLOTS, 0, 1, RANKS, OLD[:0])
    assert made.shape == (0, SLOTS)
    assert "planned for vllm" in caplog.text


@pytest.mark.parametrize("bad", [-5, float("nan"), float("inf")])
def test_bad_loads_count_as_zero_and_are_said_once(bad: float, caplog: pytest.LogCaptureFixture) -> None:
    load = torch.asarray(LOAD, dtype=torch.float64)
    load[1, 3] = bad
    zero = load.clone()
    zero[1, 3] = 0
    expected = policy().rebalance_experts(zero, SLOTS, 1, 1, RANKS)
    assert not caplog.records
    for _ in range(2):
        assert torch.equal(policy().rebalance_experts(load, SLOTS, 1, 1, RANKS), expected)
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert re.search(r"1 of 96 loads are NaN, infinite or negative, the first \S+ at \[1, 3\]", warning.getMessage())


def test_all_threads_make_the_same_plan() -> None:
    load = torch.asarray(LOAD)

    def made() -> torch.Tensor:
        result: torch.Tensor = policy(max_moves="10%").rebalance_experts(load, SLOTS, 1, 1, RANKS, OLD)
        return result

    expected = made()
    assert all(torch.equal(x, expected) for x in at_once(lambda _: made(), 8))
