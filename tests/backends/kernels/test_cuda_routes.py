"""Kernels of routes on a GPU: from poisoned memory the slots of NumPy, whatever the tokens, streams and programs."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch.func import vmap

from eplb_xp import route
from eplb_xp.algorithms.routing import route as steps
from eplb_xp.backends.launching.routing import FEW, MOST_TOKENS
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.backends.tensors.operators import as_operator
from tests.support.cuda import no_waiting, shifted
from tests.support.route_kernels import Given, drawn, each, expected

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("poisoned")]

SHAPES = {"288 / 32": (256, 288, 32), "384 / 128": (256, 384, 128), "few": (6, 12, 4), "1024": (1024, 1152, 32)}
TOKENS = ((1, 1), (4, 8), (33, 3), (128, 8), (FEW, 1), (FEW + 1, 1), (4096, 8))
ROUTES = 2000  # of each test, at least
every_way = pytest.mark.parametrize("by_quota", [True, False], ids=["quota", "turn"])
MANY, LITTLE = (4096, 8), (16, 8)
every_number = pytest.mark.parametrize("tokens", [LITTLE, MANY], ids=["one launch", "two launches"])


def on_gpu(given: Given) -> list[torch.Tensor]:
    """Tokens first, then the plan and what was routed before, and the quotas."""
    quota, log2phy, logcnt, first, experts = given
    arrays = (experts, log2phy, logcnt, first, *([] if quota is None else [quota]))
    return [torch.asarray(x, device="cuda") for x in arrays]


def routed(experts: Any, log2phy: Any, logcnt: Any, first: Any, quota: Any = None) -> Any:
    return route(experts, (log2phy, logcnt), quota, first=first if first.shape[-1] else None)


def assert_equal(found: torch.Tensor, given: Given) -> None:
    np.testing.assert_array_equal(found.numpy(force=True), expected(given), strict=True)


def others(given: Given, rng: np.random.Generator, tokens: tuple[int, int]) -> Given:
    """Other tokens of the same plan: few experts or all, and some that aren't there."""
    experts = given.logcnt.shape[-1]
    ids = rng.integers(-1, rng.choice([2, experts, experts + 2]), tokens)
    return given._replace(experts=ids.astype(given.experts.dtype))


@every_way
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("has_first", [False, True], ids=["", "first"])
def test_2000_random_routes(name: str, by_quota: bool, has_first: bool, poisoned: list[int]) -> None:
    """So many in all cases together."""
    rng = np.random.default_rng(len(name))
    routes = 0
    for plan in range(3):
        given = drawn(rng, SHAPES[name], LITTLE, by_quota=by_quota, has_first=has_first)
        if plan == 1:
            given = each(lambda x: x.astype(np.int32), given)
        for tokens in TOKENS:
            for _ in range(6):
                made = others(given, rng, tokens)
                before = len(poisoned)
                assert_equal(routed(*on_gpu(made)), made)
                assert len(poisoned) > before, "the kernels did not run"
                routes += 1
    assert routes * 2 * 2 * len(SHAPES) >= ROUTES


@every_way
@pytest.mark.parametrize("name", ["int8", "int16", "uint8", "uint16", "uint32", "uint64"])
def test_integers_of_any_width(name: str, by_quota: bool, poisoned: list[int]) -> None:
    for tokens in (LITTLE, (FEW, 2)):
        given = drawn(np.random.default_rng(1), SHAPES["few"], tokens, by_quota=by_quota, has_first=True, dtype=name)
        given = given._replace(log2phy=given.log2phy.astype(np.int64).astype(name.removeprefix("u")))
        assert_equal(routed(*on_gpu(given)), given)
    assert poisoned


@every_way
@every_number
def test_any_strides_and_addresses(tokens: tuple[int, int], by_quota: bool, poisoned: list[int]) -> None:
    given = drawn(np.random.default_rng(2), SHAPES["288 / 32"], tokens, by_quota=by_quota, has_first=True)
    tensors = on_gpu(given)
    elsewhere = [*map(shifted, tensors)]
    spread = [torch.stack([x, x + 1], dim=-1)[..., 0] for x in tensors]
    for arrays in (elsewhere, spread, [elsewhere[0], *tensors[1:]], [tensors[0].T.contiguous().T, *tensors[1:]]):
        assert_equal(routed(*arrays), given)
    assert poisoned


@every_way
def test_the_largest_sizes(by_quota: bool, poisoned: list[int]) -> None:
    given = drawn(np.random.default_rng(3), SHAPES["1024"], LITTLE, by_quota=by_quota)
    for experts in (1, 1024):
        ids = np.random.default_rng(4).integers(0, experts, (MOST_TOKENS // 8, 8))
        made = given._replace(experts=ids)
        assert_equal(routed(*on_gpu(made)), made)
    assert poisoned


@every_way
@every_number
@pytest.mark.parametrize("is_poisoned", [False, True])
def test_replays_of_a_captured_graph(
    tokens: tuple[int, int], by_quota: bool, is_poisoned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With poison every replay begins from it; without, from what the replay before has left."""
    if not is_poisoned:
        monkeypatch.undo()
    rng = np.random.default_rng(5)
    given = drawn(rng, SHAPES["288 / 32"], tokens, by_quota=by_quota)
    tensors = on_gpu(given)
    routed(*tensors)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        slots = routed(*tensors)
    for _ in range(6):
        made = others(given, rng, tokens)
        tensors[0].copy_(torch.asarray(made.experts))
        slots.fill_(-9)
        graph.replay()
        assert_equal(slots, made)


@every_way
@every_number
def test_the_host_never_waits_and_the_stream_is_the_current_one(tokens: tuple[int, int], by_quota: bool) -> None:
    rng = np.random.default_rng(6)
    given = drawn(rng, SHAPES["288 / 32"], tokens, by_quota=by_quota)
    made = others(given, rng, tokens)
    tensors, new = on_gpu(given), torch.asarray(made.experts, device="cuda")
    routed(*tensors)
    stream = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream), no_waiting():
        torch.cuda._sleep(10**8)  # some 50 ms, in which a route on any other stream would take the old tokens
        tensors[0].copy_(new)
        slots = routed(*tensors)
    stream.synchronize()
    assert_equal(slots, made)


@every_way
def test_compile_without_a_graph_break(by_quota: bool, poisoned: list[int]) -> None:
    def layer(experts: torch.Tensor, *plan: torch.Tensor) -> torch.Tensor:
        return routed(experts + 1, *plan) * 2

    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True)
    rng = np.random.default_rng(7)
    given = drawn(rng, SHAPES["288 / 32"], LITTLE, by_quota=by_quota, has_first=True)
    # With another number of tokens torch compiles once more, for any number.
    for tokens in (16, 16, 24, 1000, 4096):
        made = others(given, rng, (tokens, 8))
        experts, *plan = on_gpu(made)
        before = len(poisoned)
        slots = compiled(experts - 1, *plan)
        assert len(poisoned) > before, "the kernels did not run"
        np.testing.assert_array_equal(slots.numpy(force=True), expected(made) * 2)


@every_way
@every_number
def test_layers_as_a_batch(tokens: tuple[int, int], by_quota: bool, poisoned: list[int]) -> None:
    given = drawn(np.random.default_rng(8), SHAPES["few"], tokens, front=(3, 2), by_quota=by_quota, has_first=True)
    assert_equal(vmap(vmap(routed))(*on_gpu(given)), given)
    assert poisoned
    # Ranks of one plan.
    experts, *plan = on_gpu(given)
    slots = vmap(routed, in_dims=(0, *[None] * len(plan)))(experts[0], *(x[0, 0] for x in plan))
    rows = each(lambda x: np.stack([x[0, 0]] * 2), given)
    assert_equal(slots, rows._replace(experts=given.experts[0]))


@every_way
def test_the_operator_is_what_torch_expects(by_quota: bool) -> None:
    given = drawn(np.random.default_rng(9), SHAPES["few"], LITTLE, by_quota=by_quota)
    experts, log2phy, logcnt, first, *quota = on_gpu(given)
    name = "route_by_quota" if by_quota else "route_in_turn"
    tensors = *quota, log2phy, logcnt, first, experts
    (slots,) = as_operator(getattr(steps, name), *tensors)
    assert_equal(slots, given)
    checks = torch.library.opcheck(getattr(torch.ops.eplb_xp, name).default, (*tensors, [], [], []))
    assert set(checks.values()) == {"SUCCESS"}


def test_the_log_says_why_kernels_do_not_run(
    poisoned: list[int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = drawn(np.random.default_rng(10), SHAPES["few"], LITTLE)
    made = others(given, np.random.default_rng(10), (MOST_TOKENS + 1, 1))
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert_equal(routed(*on_gpu(made)), made)
        assert "route_by_quota runs without its kernel: the kernels route at most 262144 choices" in caplog.text
        monkeypatch.setenv(SWITCH, "0")
        assert_equal(routed(*on_gpu(given)), given)
    assert not poisoned
