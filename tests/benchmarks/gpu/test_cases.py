"""What is planned on a GPU: every policy, route and size, each measured once, or those of a name."""

from collections.abc import Iterable

import pytest

from benchmarks.gpu import cases
from benchmarks.gpu.cases import Case, Work
from eplb_xp.cli.errors import UserError
from eplb_xp.sizes import check_sizes


def plans(chosen: Iterable[Work]) -> list[Case]:
    """Those that are no shares, quotas or slots."""
    return [case for case in chosen if isinstance(case, Case)]


def test_every_policy_route_and_size_is_there() -> None:
    found = cases.sections()
    assert [len(section.cases) for section in found] == [12, 10, 10, 8, 6, 2, 2, 10, 2 * 8, 2 * 5, 2 * 8]
    every = {case for section in found for case in section.cases}
    assert len({str(case) for case in every}) == len(every)
    for case in plans(every):
        sizes = check_sizes(case.experts, case.replicas, case.groups, case.nodes, case.gpus)
        assert (sizes.num_groups, sizes.num_nodes) == (case.groups, case.nodes)
    by_gpus = {case.gpus: case.replicas for case in plans(found[-1].cases)}
    assert by_gpus == {8: 288, 16: 288, 32: 288, 64: 320, 128: 384, 256: 512, 512: 1024, 1024: 2048}
    by_experts = {case.experts: case.replicas for case in plans(found[-2].cases)}
    assert by_experts == {64: 96, 128: 160, 256: 288, 512: 576, 1024: 1152}  # of 72 and 144, multiples of 32
    assert {case.layers for case in plans(found[-3].cases)} == {1, 4, 16, 58, 132, 250, 500, 1000}


def test_a_case_is_measured_once_and_jax_last() -> None:
    pairs = cases.pairs(cases.sections())
    assert len(set(pairs)) == len(pairs)
    ways = [way for _, way in pairs]
    assert ways[-10:] == ["jax"] * 10
    assert ways.count("eager") == 10 + 10
    # 288 / 32 is on every axis and among fresh plans, 320 / 64 and 384 / 128 are on one.
    assert ways.count("graph") == 12 + 8 + 10 + 16 + 10 + 16 - 2 - 2 * 2 - 1 - 1 - 2


def test_cases_are_chosen_by_name() -> None:
    only = cases.sections("JOINT global", quick=True)
    assert [(section.title, len(section.cases)) for section in only][:3] == [
        ("a plan in a CUDA graph", 1),
        ("called from Python", 1),
        ("inside jax.jit", 1),
    ]
    assert [[getattr(case, section.axis.lower()) for case in section.cases] for section in only if section.axis] == [
        [1, 132, 1000],
        [64, 256, 1024],
        [8, 128, 1024],
    ]
    (shares, by_hand) = cases.sections("shares, 1 x")
    assert [*map(str, shares.cases)] == [*map(str, by_hand.cases)] == ["shares, 1 x 256, 288 / 32"]
    assert [section.way for section in (shares, by_hand)] == ["graph", "eager"]
    with pytest.raises(UserError, match=r"'jiont'.*'joint global, 58 x 256, 288 / 32'.*'route in turn, 4096 x 8, "):
        cases.sections("jiont")
