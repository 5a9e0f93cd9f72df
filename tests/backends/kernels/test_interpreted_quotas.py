"""The kernel of quotas, interpreted on a CPU: from poisoned memory the quotas of NumPy, bit for bit."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp.backends.launching.dividing import PROGRAMS, launch
from eplb_xp.backends.takeover import Refusal
from tests.support.compiled_code import resources
from tests.support.kernels import POISON, Interpreted
from tests.support.quota_kernels import Given, as_dtype, check, compiled, drawn, launch_of
from tests.support.shares import shapes_of_all_proportions

# Experts, replicas and GPUs, and nodes.
SHAPES = {
    "few slots": ((6, 12, 4), 2),
    "one node": ((6, 12, 4), 1),
    "a node for each GPU": ((9, 16, 8), 8),
    "no powers of two": ((10, 30, 15), 5),
    "one replica each": ((5, 5, 5), 1),
    "one expert": ((1, 7, 7), 1),
    "one GPU": ((5, 9, 1), 1),
    "wide": ((3, 70, 7), 7),
}
every_way = pytest.mark.parametrize("of_one", [True, False], ids=["of a rank", "of all"])


@every_way
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape(interpreted: Interpreted, name: str, of_one: bool) -> None:
    rng = np.random.default_rng(len(name))
    shape, nodes = SHAPES[name]
    for other_batch in (False, True):
        check(interpreted, drawn(rng, shape, 2, of_one=of_one, other_batch=other_batch), nodes)


def test_every_rank(interpreted: Interpreted) -> None:
    made = drawn(np.random.default_rng(0), (6, 12, 4), 2)
    for rank in range(4):
        check(interpreted, made._replace(rank=np.full((2, 1), rank)), 2)


@pytest.mark.parametrize("programs", [1, 4, PROGRAMS])
def test_programs_of_several_experts(interpreted: Interpreted, programs: int) -> None:
    """The last program has fewer, and several of its experts have several replicas."""
    made = drawn(np.random.default_rng(1), (21, 40, 8), 2)
    check(interpreted, made, 4, programs=programs)


def test_a_layer_of_deepseek(interpreted: Interpreted) -> None:
    check(interpreted, drawn(np.random.default_rng(2), (256, 288, 32), most=10**6), 4, programs=16)


def test_a_rank_for_each_layer_or_one_for_all(interpreted: Interpreted) -> None:
    made = drawn(np.random.default_rng(3), (6, 12, 4), 3)
    for rank in ([[0], [3], [1]], [[-1], [4], [2**40]]):
        check(interpreted, made._replace(rank=np.array(rank)), 2)
    check(interpreted, made._replace(rank=np.broadcast_to(np.array(2), (3, 1))), 2)


INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_of_any_width(interpreted: Interpreted, name: str) -> None:
    made = drawn(np.random.default_rng(4), (6, 12, 4), 2, other_batch=True)
    check(interpreted, as_dtype(made, name), 2)
    check(interpreted, as_dtype(made, name)._replace(counts=made.counts, share=made.share.astype("int16")), 2)


def test_many_tokens(interpreted: Interpreted) -> None:
    check(interpreted, drawn(np.random.default_rng(5), (6, 12, 4), 2, most=2**50), 2)
    check(interpreted, drawn(np.random.default_rng(6), (6, 12, 4), 2, most=2**26), 2, index_bits=32)


def by_hand(log2phy: list[list[int]], logcnt: list[int], phy2log: list[int]) -> Given:
    """Two experts on two GPUs of two slots."""
    share, counts = np.array([[3, 4, 5, 6]]), np.array([[[7, 2], [4, 5]]])
    return Given(np.array([[1]]), share, np.array([phy2log]), np.array([log2phy]), np.array([logcnt]), counts)


def test_several_replicas_of_an_expert_on_a_gpu(interpreted: Interpreted) -> None:
    for log2phy in ([[0, 1, 2], [3, -1, -1]], [[2, 0, 1], [3, -1, -1]]):
        check(interpreted, by_hand(log2phy, [3, 1], [0, 0, 0, 1]), 1)


def test_what_is_no_plan_reads_nothing_else(interpreted: Interpreted) -> None:
    slots = [[3, 99, -5], [-(2**63), 2**40, 0]]
    for phy2log in ([0, 1, 0, 1], [-1, 7, 2**40, -(2**63)]):
        for logcnt in ([3, 3], [0, -4], [99, 2], [-(2**63), 2**63 - 1]):
            check(interpreted, by_hand(slots, logcnt, phy2log), 2)


ways = st.fixed_dictionaries({"of_one": st.booleans(), "is_plan": st.booleans(), "other_batch": st.booleans()})
options = st.fixed_dictionaries(
    {
        "programs": st.sampled_from([1, 8, PROGRAMS]),
        "index_bits": st.sampled_from([32, 64]),
        "poison": st.sampled_from([POISON, -1, 0, 1]),
    }
)


@settings(max_examples=-(-settings().max_examples // 2))
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_tokens(interpreted: Interpreted, data: st.DataObject, seed: int) -> None:
    shape = data.draw(shapes_of_all_proportions())
    nodes = data.draw(st.sampled_from([n for n in range(1, shape[2] + 1) if shape[2] % n == 0]))
    made = drawn(np.random.default_rng(seed), shape, 2, **data.draw(ways))
    check(interpreted, made, nodes, **data.draw(options))


@pytest.mark.parametrize(
    ("shape", "slots", "width", "reason"),
    [
        ((1, 8, 1025), 1032, 8, "at most 1024 experts, got 1025"),
        ((1, 8, 1024), 2056, 8, "at most 2048 replicas, got 2056"),
        ((1, 8, 256), 288, 2049, "at most 2048 replicas of an expert, got 2049"),
        ((1, 513, 500), 513, 14, "at most 512 GPUs, got 513"),
        ((0, 8, 256), 288, 33, "there are no layers"),
        ((1, 8, 256), 288, 0, "no slots"),
    ],
)
def test_what_is_too_large_is_refused(shape: tuple[int, int, int], slots: int, width: int, reason: str) -> None:
    how = launch(shape, slots, width, nodes=1, is_of_one=True, index_bits=64)
    assert isinstance(how, Refusal)
    assert re.search(reason, how.reason), how.reason


def test_programs_have_more_experts_where_layers_are_many() -> None:
    def blocks(layers: int, *, is_of_one: bool = True) -> tuple[int, tuple[int, int]]:
        how = launch((layers, 32, 256), 288, 33, nodes=4, is_of_one=is_of_one, index_bits=64)
        assert not isinstance(how, Refusal)
        return how.block, how.programs

    assert blocks(1) == (1, (256, 1))
    assert blocks(58) == (2, (128, 1))
    assert blocks(10**6) == (16, (16, 1))
    assert blocks(4, is_of_one=False) == (4, (64, 32))


@pytest.mark.parametrize(
    ("shape", "nodes", "of_one"),
    [((256, 288, 32), 4, True), ((256, 384, 128), 16, True), ((256, 288, 32), 4, False)],
    ids=["288 / 32", "384 / 128", "of all ranks"],
)
def test_the_kernel_compiles_for_a_gpu(
    shape: tuple[int, int, int], nodes: int, of_one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    code = compiled(launch_of(drawn(np.random.default_rng(7), shape, of_one=of_one), nodes)).asm
    assert code["cubin"].startswith(b"\x7fELF")
    assert ".target sm_90" in code["ptx"]
    # All slots of a layer stay in registers.
    taken = resources(code["cubin"], "quotas")
    assert 32 <= taken["REG"] <= 255
    assert taken["STACK"] + taken["LOCAL"] == 0
