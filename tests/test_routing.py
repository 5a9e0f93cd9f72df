"""quotas, probabilities and route: what is refused and why, ranks, and arrays of one library."""

from typing import Any

import numpy as np
import pytest

from eplb_xp import probabilities, quotas, rebalance_experts, route, share_tokens
from tests.support.libraries import LIBRARIES
from tests.support.other_libraries import Jit

COUNTS = np.random.default_rng(0).integers(0, 9, (2, 4, 8)).astype(np.int32)
PLAN = rebalance_experts(COUNTS.sum(axis=1), 12, 1, 1, 4)
SHARES = share_tokens(PLAN, COUNTS.sum(axis=1), 4)
TWICE, LESS = PLAN.log2phy.copy(), COUNTS.copy()
BUSY = PLAN.logcnt[1].argmax()
TWICE[1, BUSY, 1] = TWICE[1, BUSY, 0]
LESS[1, 2, 3] -= 1
division: Any = quotas  # with what type checkers refuse
parts: Any = probabilities
routed: Any = route

BAD_PLANS = [
    (PLAN._replace(phy2log=PLAN.phy2log * 1.0), TypeError, "phy2log must be of integers, got dtype float64"),
    (PLAN._replace(phy2log=PLAN.phy2log + 1), ValueError, "phy2log names an expert that is not there: 8"),
    (
        PLAN._replace(phy2log=PLAN.phy2log[:, :8]),
        ValueError,
        r"\[layers, replicas\] with 2 layers, 8 replicas, got \(2, 12\)",
    ),
    (PLAN._replace(logcnt=PLAN.logcnt[0]), ValueError, r"logcnt must have shape \[layers, experts\].*, got \(8,\)"),
    (PLAN._replace(log2phy=PLAN.log2phy[0]), ValueError, r"log2phy must have shape \[layers, experts, width\] with 2 "),
    (PLAN._replace(log2phy=PLAN.log2phy * 1j), TypeError, "log2phy must be of integers, got dtype complex128"),
    (PLAN._replace(log2phy=PLAN.log2phy[::-1]), ValueError, "another plan: it has slot .* which phy2log has not there"),
    (PLAN._replace(log2phy=PLAN.log2phy + 1), ValueError, "another plan: it has slot"),
    (PLAN._replace(log2phy=TWICE), ValueError, "it has slot .* of layer 1 [02] times"),
    (PLAN._replace(logcnt=np.ones_like(PLAN.logcnt)), ValueError, "of layer 0 0 times"),
]
BAD_SHARES = [
    (SHARES.share, TypeError, "shares must be what share_tokens returns, got ndarray"),
    (SHARES._replace(share=SHARES.share * 1.0), TypeError, "share must be of integers, got dtype float64"),
    (SHARES._replace(share=SHARES.share[:, :8]), ValueError, r"share must have shape .* 12 replicas, got \(2, 8\)"),
    (SHARES._replace(gpu_load=SHARES.gpu_load[:, :0]), ValueError, "num_gpus must be at least 1, got 0"),
]


@pytest.mark.parametrize(("plan", "error", "message"), BAD_PLANS)
def test_what_is_no_plan(plan: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        division(SHARES, plan, COUNTS)
    with pytest.raises(error, match=message):
        parts(SHARES, plan)


@pytest.mark.parametrize(("shares", "error", "message"), BAD_SHARES)
def test_what_are_no_shares(shares: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        division(shares, PLAN, COUNTS)
    with pytest.raises(error, match=message):
        parts(shares, PLAN)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"counts": COUNTS.tolist()}, TypeError, "counts must be an array of NumPy"),
        ({"counts": COUNTS * 1.0}, TypeError, "counts must be of integers, got dtype float64"),
        ({"counts": COUNTS[0]}, ValueError, r"counts must have shape \[layers, ranks, experts\], got \(4, 8\)"),
        ({"counts": COUNTS[:1]}, ValueError, r"logcnt must have shape \[layers, experts\] with 1 layers, 8 experts"),
        ({"counts": COUNTS[:, :3]}, ValueError, "as many ranks as shares are of GPUs: 3 ranks, 4 GPUs"),
        ({"counts": COUNTS - 1}, ValueError, r"counts has negative ones, as -1 at \[0, 0, "),
        ({"counts": LESS}, ValueError, f"expert 3 of layer 1 has {LESS[1, :, 3].sum()} tokens in counts, .* and "),
        (
            {"num_nodes": 3},
            ValueError,
            "num_nodes must divide the number of GPUs: 3 does not divide 4; .* num_nodes=2 or 4",
        ),
        ({"num_nodes": 0}, ValueError, "num_nodes must be at least 1, got 0"),
        ({"num_nodes": 1.5}, TypeError, r"num_nodes must be a positive integer, got 1\.5"),
        ({"rank": 4}, ValueError, "rank must be less than 4, the number of ranks, got 4"),
        ({"rank": np.array(7)}, ValueError, "rank must be less than 4, the number of ranks, got 7"),
        ({"rank": -1}, ValueError, "rank must be at least 0, got -1"),
        ({"rank": np.array(-1)}, ValueError, "rank must be at least 0, got -1"),
        ({"rank": np.array([1])}, ValueError, r"rank must have shape \[\], got \(1,\)"),
        ({"rank": np.array(1.0)}, TypeError, "rank must be of integers, got dtype float64"),
        ({"rank": 1.0}, TypeError, r"rank must be an integer, got 1\.0"),
        ({"nodes": 2}, TypeError, "takes no nodes: pass it as num_nodes"),
    ],
)
def test_what_is_not_divided(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        division(**({"shares": SHARES, "plan": PLAN, "counts": COUNTS} | changed))


EXPERTS = np.array([[0, 3], [7, -1], [2, 2]])
ROW = tuple(x[0] for x in PLAN)
QUOTA = quotas(SHARES, PLAN, COUNTS, rank=0)[0]


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"experts": EXPERTS.tolist()}, TypeError, "experts must be an array of NumPy"),
        ({"experts": EXPERTS * 1.0}, TypeError, "experts must be of integers, got dtype float64"),
        ({"experts": EXPERTS[0]}, ValueError, r"experts must have shape \[tokens, top_k\], got \(2,\)"),
        ({"experts": EXPERTS + 1}, ValueError, r"names one that is not there: 8 at \[1, 0\], experts are 0 to 7"),
        ({"plan": PLAN}, ValueError, r"logcnt must have shape \[experts\], got \(2, 8\)"),
        ({"plan": ROW[:1]}, ValueError, "log2phy and logcnt of a layer, or phy2log before them, got 1 arrays"),
        ({"plan": (ROW[1][:6], ROW[2])}, ValueError, r"\[experts, width\] with 8 experts, got \(6, 5\)"),
        ({"plan": (ROW[1].astype(np.uint8), ROW[2])}, TypeError, "log2phy must be of signed integers, .* dtype uint8"),
        ({"quota": QUOTA[:, :4]}, ValueError, r"quota must have shape .* with 8 experts, 5 width, got \(8, 4\)"),
        ({"quota": QUOTA / 2}, TypeError, "quota must be of integers, got dtype float64"),
        ({"first": ROW[2][:4]}, ValueError, r"first must have shape \[experts\] with 8 experts, got \(4,\)"),
        ({"first": ROW[2] > 0}, TypeError, "first must be of integers, got dtype bool"),
        ({"quotas": QUOTA}, TypeError, "takes no quotas: pass it as quota"),
    ],
)
def test_what_is_not_routed(changed: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        routed(**({"experts": EXPERTS, "plan": ROW} | changed))


def test_arrays_must_be_of_one_library() -> None:
    for library in LIBRARIES:
        if library.array is not np.ndarray and library.reads_values and library.name != "jax-vmap":
            counts, experts = library.asarray(COUNTS), library.asarray(EXPERTS.astype(np.int32))
            calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
                (division, (SHARES, PLAN, counts), {}),
                (division, (SHARES, PLAN, COUNTS), {"rank": counts[0, 0, 0]}),
                (routed, (experts, ROW), {}),
                (routed, (EXPERTS, ROW), {"first": experts}),
            ]
            for function, arrays, more in calls:
                with pytest.raises(TypeError, match="all arrays must be of the same library"):
                    function(*arrays, **more)


@pytest.mark.parametrize("rank", [2, np.int64(2), np.array(2), np.uint8(2), np.array(2, np.int16)])
def test_a_rank_is_an_integer_of_any_kind(rank: Any) -> None:
    np.testing.assert_array_equal(quotas(SHARES, PLAN, COUNTS, rank=rank), quotas(SHARES, PLAN, COUNTS)[:, 2])


def of_rank(shares: Any, plan: Any, counts: Any, rank: Any) -> Any:
    return quotas(shares, plan, counts, rank=rank[0])


def test_a_rank_that_is_not_read_is_the_nearest_that_is_there() -> None:
    library, want = Jit("jax-jit"), quotas(SHARES, PLAN, COUNTS)
    for rank, nearest in ((9, 3), (-2, 0)):
        found = library.run(of_rank, SHARES, PLAN, COUNTS, np.array([rank], np.int32))
        np.testing.assert_array_equal(found, want[:, nearest])


def test_counts_below_zero_that_are_not_read_are_none() -> None:
    counts = COUNTS.copy()
    counts[0, 0] = -5
    counts[0, 1] += COUNTS[0, 0]
    few = np.maximum(counts, 0)
    found = Jit("jax-jit").run(of_rank, SHARES, PLAN, counts, np.array([1], np.int32))
    np.testing.assert_array_equal(found, quotas(SHARES, PLAN, few, rank=1))


@pytest.mark.parametrize("name", ["int8", "uint8", "int32", "uint64"])
def test_plans_and_counts_of_any_integers(name: str) -> None:
    plan = PLAN._replace(phy2log=PLAN.phy2log.astype(name), logcnt=PLAN.logcnt.astype(name))
    shares = SHARES._replace(share=SHARES.share.astype(name))
    np.testing.assert_array_equal(quotas(shares, plan, COUNTS.astype(name)), quotas(SHARES, PLAN, COUNTS))
    np.testing.assert_array_equal(probabilities(shares, plan), probabilities(SHARES, PLAN))
