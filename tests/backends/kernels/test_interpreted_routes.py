"""Kernels of routes, interpreted on a CPU: from poisoned memory the slots of NumPy, bit for bit."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp.backends.launching.routing import FEW, launch
from eplb_xp.backends.takeover import Refusal
from tests.support.kernels import POISON, Interpreted
from tests.support.route_kernels import ONE, SEVERAL, Given, Sizes, check, compiled, drawn, launch_of

SHAPES = {
    "few slots": (6, 12, 4),
    "one replica each": (5, 5, 5),
    "more experts than tokens": (90, 96, 8),
    "a power of two": (32, 40, 8),
    "one expert": (1, 7, 7),
    "wide": (3, 70, 7),
}
every_size = pytest.mark.parametrize("sizes", [ONE, SEVERAL], ids=["one launch", "two launches"])
every_way = pytest.mark.parametrize("by_quota", [True, False], ids=["quota", "turn"])


@every_size
@every_way
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape(interpreted: Interpreted, name: str, by_quota: bool, sizes: Sizes) -> None:
    rng = np.random.default_rng(len(name))
    for tokens, has_first in (((37, 3), False), ((20, 2), True)):
        check(interpreted, drawn(rng, SHAPES[name], tokens, by_quota=by_quota, has_first=has_first), sizes)


@every_size
@pytest.mark.parametrize("tokens", [1, 31, 32, 33, 64, 257])
def test_every_number_of_tokens(interpreted: Interpreted, tokens: int, sizes: Sizes) -> None:
    check(interpreted, drawn(np.random.default_rng(tokens), (6, 12, 4), (tokens, 1)), sizes)


@every_way
def test_blocks_as_they_are(interpreted: Interpreted, by_quota: bool) -> None:
    check(interpreted, drawn(np.random.default_rng(0), (64, 80, 8), (FEW // 8 + 1, 8), by_quota=by_quota))


@every_size
@every_way
@pytest.mark.parametrize("front", [(0,), (1,), (2,), (2, 3)], ids=str)
def test_dimensions_in_front(interpreted: Interpreted, front: tuple[int, ...], by_quota: bool, sizes: Sizes) -> None:
    if 0 in front:
        how = launch((0, 8), 3, 6, by_quota=by_quota, has_first=False, index_bits=64)
        assert isinstance(how, Refusal)
        return
    made = drawn(np.random.default_rng(1), (6, 12, 4), (25, 2), front=front, by_quota=by_quota, has_first=True)
    assert check(interpreted, made, sizes).shape == (*front, 25, 2)


INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@every_way
@pytest.mark.parametrize("name", INTEGERS)
def test_integers_of_any_width(interpreted: Interpreted, name: str, by_quota: bool) -> None:
    made = drawn(np.random.default_rng(2), (6, 12, 4), (20, 2), by_quota=by_quota, has_first=True, dtype=name)
    signed = name.removeprefix("u")
    found = check(interpreted, made._replace(log2phy=made.log2phy.astype(np.int64).astype(signed)), SEVERAL)
    assert found.dtype == signed


@every_size
def test_ids_that_no_expert_has(interpreted: Interpreted, sizes: Sizes) -> None:
    made = drawn(np.random.default_rng(3), (256, 288, 32), (9, 4))
    for none in (-1, 256, 511, 2**40, -(2**63)):
        assert (check(interpreted, made._replace(experts=np.full((9, 4), none)), sizes) == -1).all()
    # What is not read must be none, not the last expert of a byte.
    check(interpreted, made._replace(experts=np.full((9, 4), 255, np.uint8)), sizes)


def at_ends(by_quota: bool) -> Given:
    """Tokens that are many more than quotas say, quotas of none, and more before than quotas say."""
    log2phy = np.array([[0, 3, 4, 6], [1, -1, -1, -1], [2, 5, 7, -1], [8, 9, -1, -1]])
    quota = np.array([[0, 0, 2, 9], [7, 7, 7, 7], [3, 3, 50, 50], [2**40, 2**40, 2**40, 2**40]])
    first = np.array([1, 2**40, 3, -5])
    experts = np.tile(np.array([0, 0, 1, 2, 3, -1]), 9)[:, None]
    return Given(quota if by_quota else None, log2phy, np.array([4, 1, 3, 2]), first, experts)


@every_size
@every_way
def test_ends_of_quotas_and_many_before(interpreted: Interpreted, by_quota: bool, sizes: Sizes) -> None:
    check(interpreted, at_ends(by_quota), sizes)


@every_size
@every_way
def test_what_is_no_plan_reads_nothing_else(interpreted: Interpreted, by_quota: bool, sizes: Sizes) -> None:
    for logcnt in ([9, 0, 5, -3], [0, 0, 0, 99]):
        check(interpreted, at_ends(by_quota)._replace(logcnt=np.array(logcnt), first=np.zeros(0, int)), sizes)


@every_size
def test_all_tokens_of_one_expert(interpreted: Interpreted, sizes: Sizes) -> None:
    made = drawn(np.random.default_rng(4), (40, 48, 8), (100, 3))
    for expert in (0, 39):
        check(interpreted, made._replace(experts=np.full((100, 3), expert)), sizes)


ways = st.fixed_dictionaries({"by_quota": st.booleans(), "has_first": st.booleans()})
options = st.tuples(st.sampled_from([ONE, SEVERAL]), st.sampled_from([32, 64]), st.sampled_from([POISON, -1, 0, 1]))


@settings(max_examples=-(-settings().max_examples // 2))
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), way=ways)
def test_any_tokens(interpreted: Interpreted, data: st.DataObject, seed: int, way: Any) -> None:
    shape = data.draw(st.sampled_from([(6, 12, 4), (33, 40, 8)]))
    tokens = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 3)))
    check(interpreted, drawn(np.random.default_rng(seed), shape, tokens, **way), *data.draw(options))


@pytest.mark.parametrize(
    ("shape", "width", "experts", "reason"),
    [
        ((1, 8), 3, 1025, "at most 1024 experts, got 1025"),
        ((1, 8), 2049, 6, "at most 2048 replicas of an expert, got 2049"),
        ((1, 2**18 + 1), 3, 6, "at most 262144 choices of tokens, got 262145"),
        ((2**16, 8), 3, 6, "at most 65535 batches at once, got 65536"),
        ((2**11, 2**18), 3, 6, r"need \d+\.\d GiB of memory, and take at most 1 GiB"),
        ((3, 0), 3, 6, "there are no tokens"),
        ((0, 8), 3, 6, "there are no tokens"),
        ((1, 8), 0, 6, "no slots"),
    ],
)
def test_what_is_too_large_is_refused(shape: tuple[int, int], width: int, experts: int, reason: str) -> None:
    how = launch(shape, width, experts, by_quota=True, has_first=False, index_bits=64)
    assert isinstance(how, Refusal)
    assert re.search(reason, how.reason), how.reason


@every_way
@pytest.mark.parametrize("tokens", [(4, 8), (4096, 8)], ids=["few", "many"])
def test_the_kernels_compile_for_a_gpu(
    tokens: tuple[int, int], by_quota: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    made = compiled(launch_of(drawn(np.random.default_rng(5), (256, 288, 32), tokens, by_quota=by_quota)))
    assert list(made) == (["count", "route"] if tokens[0] > 4 else ["route_few"])
    for code in made.values():
        assert code["cubin"].startswith(b"\x7fELF")
        assert ".target sm_90" in code["ptx"]
    if tokens[0] > 4:
        assert "popc" in made["count"]["ptx"]
