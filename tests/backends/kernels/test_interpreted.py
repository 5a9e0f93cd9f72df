"""Triton's kernels, interpreted on a CPU: from poisoned memory the plans of NumPy, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp import POLICIES, Policy
from tests.support.kernels import GREEDY, JOINT, POISON, STARTS, SWAP, Interpreted, Sizes, check, every_policy
from tests.support.libraries import NUMPY, NumPyArray
from tests.support.loads import FAMILIES, batch, weights
from tests.support.plans import plan, policies

# Experts, and replicas, groups, nodes and GPUs.
SIZES = {
    "one GPU": (7, (9, 1, 1, 1)),
    "one slot a GPU": (4, (6, 1, 1, 6)),
    "two slots a GPU": (6, (10, 1, 1, 5)),
    "three slots a GPU": (8, (15, 1, 1, 5)),
    "four slots a GPU": (9, (16, 1, 1, 4)),
    "nine slots a GPU": (15, (18, 1, 1, 2)),
    "17 slots a GPU": (30, (34, 1, 1, 2)),
    "no spares": (12, (12, 1, 1, 4)),
    "first replicas that are half a power of two": (128, (144, 1, 1, 16)),
    "more GPUs than a warp has threads": (33, (66, 1, 1, 33)),
    "every expert on every GPU": (3, (9, 1, 1, 3)),
    "every expert on every GPU, and a spare each": (3, (12, 1, 1, 3)),
    "every expert on every GPU, and two spares each": (3, (15, 1, 1, 3)),
    "every expert on every GPU of a node": (8, (24, 4, 2, 4)),
    "a group a node": (8, (12, 2, 2, 4)),
    "three groups a node": (12, (16, 6, 2, 4)),
    "three nodes": (9, (12, 9, 3, 6)),
    "a GPU a node": (8, (12, 4, 2, 2)),
    "groups on one node": (8, (12, 4, 1, 4)),
}


@every_policy
@pytest.mark.parametrize(("experts", "sizes"), SIZES.values(), ids=SIZES)
def test_every_size(interpreted: Interpreted, experts: int, sizes: Sizes, policy: Policy) -> None:
    check(interpreted, batch("lognormal", experts, 1, experts), sizes, policy)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_loads(interpreted: Interpreted, family: str) -> None:
    check(interpreted, batch(family, 1, 2, 8), (12, 4, 2, 4), GREEDY)
    check(interpreted, batch(family, 2, 1, 6), (9, 1, 1, 3), SWAP)


@pytest.mark.parametrize("name", POLICIES)
def test_the_named_policies(interpreted: Interpreted, name: str) -> None:
    check(interpreted, batch("zipf 1.2", 3, 1, 6), (8, 1, 1, 4), POLICIES[name])


def test_other_counts_win(interpreted: Interpreted) -> None:
    weight, sizes = batch("lognormal", 3, 1, 8), (12, 1, 1, 4)
    chosen = check(interpreted, weight, sizes, JOINT)
    swapped = plan(NUMPY, weight, sizes, policy=SWAP)
    assert (chosen.logcnt != swapped.logcnt).any()


@pytest.mark.parametrize(
    ("experts", "sizes", "seed"),
    [
        (12, (27, 1, 1, 9), 1),  # three slots a GPU: they are shaken
        (18, (24, 1, 1, 6), 0),  # more: pairs
        (24, (32, 6, 2, 8), 0),
        (50, (63, 1, 1, 7), 0),  # with six of seven GPUs
        (30, (33, 1, 1, 3), 0),
        (24, (32, 1, 1, 2), 0),  # with one GPU
    ],
)
def test_exchanges_help(interpreted: Interpreted, experts: int, sizes: Sizes, seed: int) -> None:
    weight = batch("lognormal", seed, 1, experts)
    chosen = check(interpreted, weight, sizes, Policy(finish=10, shakes=2))
    assert (chosen.phy2log != plan(NUMPY, weight, sizes, policy=SWAP).phy2log).any()


@pytest.mark.parametrize(
    ("weight", "sizes", "policy"),
    [
        (batch("ties", 0, 8, 10)[6:], (15, 1, 1, 5), Policy(rounds=0, shakes=2)),
        (batch("ties", 0, 2, 9), (16, 1, 1, 4), Policy(rounds=0, finish=10)),
        (batch("ties", 3, 2, 6), (9, 1, 1, 3), replace(JOINT, tolerance=0.0)),
        (batch("ties", 0, 2, 8), (12, 4, 2, 4), STARTS),
    ],
    ids=["shaken", "pairs", "counts", "starts"],
)
def test_ties(interpreted: Interpreted, weight: NumPyArray, sizes: Sizes, policy: Policy) -> None:
    check(interpreted, weight, sizes, policy)


@pytest.mark.parametrize("policy", [SWAP, STARTS, JOINT], ids=["swap", "multistart", "joint"])
@pytest.mark.parametrize("replicas", [16, 32])  # with 32 each expert is on every GPU of its node
def test_another_split_of_the_groups_wins(interpreted: Interpreted, replicas: int, policy: Policy) -> None:
    weight, sizes = batch("lognormal", 4, 1, 12), (replicas, 6, 2, 4)
    chosen = check(interpreted, weight, sizes, policy)
    first = plan(NUMPY, weight, sizes, policy=Policy(rounds=0))
    assert {*chosen.phy2log[0, : replicas // 2]} != {*first.phy2log[0, : replicas // 2]}


@pytest.mark.parametrize("max_replicas", [2, 20])
@pytest.mark.parametrize(("sizes", "policy"), [((12, 1, 1, 4), JOINT), ((12, 4, 2, 4), SWAP)], ids=["joint", "swap"])
def test_max_replicas(interpreted: Interpreted, sizes: Sizes, policy: Policy, max_replicas: int) -> None:
    made = check(interpreted, batch("zipf 2", 4, 1, 8), sizes, policy, max_replicas=max_replicas)
    assert made.log2phy.shape[-1] == max_replicas


OTHER_POLICIES = {
    "doubled, swaps": Policy(may_double=True, rounds=10, finish=5),
    "doubled, starts": Policy(may_double=True, starts=4, rounds=3),
    "doubled, starts alone": Policy(may_double=True, starts=4, rounds=0),
    "starts alone": Policy(starts=5, rounds=0, noise=1.0, seed=2**31 - 1),
    "starts with any neighbour": Policy(starts=3, seed=5),
    "lightest neighbour": Policy(neighbourhood="lightest", finish=5),
    "no swaps": Policy(rounds=0),
    "one swap": Policy(rounds=1),
    "exchanges alone": Policy(rounds=0, finish=5),
    "a high threshold": Policy(threshold=0.05),
    "no threshold": Policy(threshold=0.0, finish=5),
    "more counts": replace(JOINT, levels=3, refined=4, generations=1),
    "more generations": replace(JOINT, levels=2, refined=3, finish=6, generations=3),
    "counts and lightest neighbour": replace(JOINT, neighbourhood="lightest", rounds=2),
    "one candidate": Policy(levels=1, refined=1, generations=1, tolerance=0.0),
    "shaken": Policy(shakes=2),
    "no candidate is needed": replace(JOINT, tolerance=1.0),
}


@pytest.mark.parametrize("policy", OTHER_POLICIES.values(), ids=OTHER_POLICIES)
def test_other_policies(interpreted: Interpreted, policy: Policy) -> None:
    check(interpreted, batch("lognormal", 6, 1, 7), (12, 1, 1, 3), policy)


@pytest.mark.parametrize("name", ["doubled, swaps", "doubled, starts", "starts alone", "more generations"])
def test_other_policies_on_nodes(interpreted: Interpreted, name: str) -> None:
    check(interpreted, batch("lognormal", 6, 1, 8), (12, 4, 2, 4), OTHER_POLICIES[name])


@pytest.mark.parametrize(
    ("programs", "experts", "sizes"),
    [
        (1, 7, (12, 1, 1, 3)),
        (4, 7, (12, 1, 1, 3)),
        (1, 8, (16, 4, 2, 4)),
        (24, 8, (16, 4, 2, 4)),
        (8, 8, (24, 4, 2, 4)),
    ],
)
def test_starts_share_programs(interpreted: Interpreted, programs: int, experts: int, sizes: Sizes) -> None:
    check(interpreted, batch("lognormal", 7, 2, experts), sizes, replace(STARTS, starts=5), programs=programs)


@pytest.mark.parametrize("is_spread", [False, True])
@pytest.mark.parametrize("dtype", NUMPY.dtypes)
def test_every_dtype_and_stride(interpreted: Interpreted, dtype: str, is_spread: bool) -> None:
    weight = np.minimum(batch("lognormal", 8, 2, 8), 255).astype(dtype)
    check(interpreted, weight, (12, 4, 2, 4), GREEDY, is_spread=is_spread)


steps = {
    "neighbourhood": st.sampled_from(["any", "lightest"]),
    "rounds": st.integers(0, 5),
    "finish": st.integers(0, 3),
    "shakes": st.integers(0, 1),
    "tolerance": st.sampled_from([0.0, 2.0**-13]),
}
counts = {"levels": st.integers(1, 2), "refined": st.integers(1, 3), "generations": st.integers(1, 2)}
small_policies = st.builds(replace, policies, **steps) | st.builds(
    replace, policies, starts=st.just(1), **steps, **counts
)
# An example takes a second.
few = settings(max_examples=-(-settings().max_examples // 4))


@few
@given(data=st.data(), policy=small_policies, poison=st.sampled_from([POISON, -1, 0, 1, 2**31 - 1]))
def test_any_loads_and_policies(interpreted: Interpreted, data: st.DataObject, policy: Policy, poison: int) -> None:
    experts, sizes = data.draw(st.sampled_from([(6, (9, 1, 1, 3)), (6, (8, 1, 1, 2)), (8, (12, 4, 2, 4))]))
    check(interpreted, data.draw(weights((1, experts))), sizes, policy, poison=poison)
