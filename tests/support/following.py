"""Plans that follow others: cases to draw, calls, and what every such plan keeps to."""

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace
from hypothesis import strategies as st

from eplb_xp import Plan, evaluate, rebalance_experts
from tests.support.libraries import NUMPY, Library, NumPyArray
from tests.support.loads import weights
from tests.support.references.beginning import Begun, Rules, begun, loads_of_layers, rules_of
from tests.support.references.moving import Slots, by_gpu, moved
from tests.support.references.plan import clean

Sizes = tuple[int, int, int, int]  # replicas, groups, nodes, GPUs
NO_CAP = 0
NEAR = {"gpus_per_node": 1, "far_cost": 1}  # what a step is told where all moves count the same


class Case(NamedTuple):
    """Layers whose plans are followed."""

    previous: NumPyArray  # [layers, replicas]
    budget: NumPyArray  # [layers]
    weight: NumPyArray  # [layers, samples, experts]

    @property
    def samples(self) -> NumPyArray:
        """[samples, layers, experts]."""
        return self.weight.transpose(1, 0, 2)


def placement(rng: np.random.Generator, rules: Rules) -> Slots:
    """Any slots with all experts in them, groups on nodes, at times two replicas on one GPU."""
    size, slots = rules.experts // rules.groups, []
    for groups in rng.permutation(rules.groups).reshape(rules.nodes, -1):
        experts = [group * size + i for group in groups for i in range(size)]
        held = list(experts)
        while len(held) < rules.replicas // rules.nodes:
            held.append(rng.choice([e for e in experts if held.count(e) < rules.most]))
        slots += [int(expert) for expert in rng.permutation(held)]
    return slots


@st.composite
def cases(
    draw: st.DrawFn, shape: tuple[int, int, int], sizes: Sizes, cap: int | None = None, most_moves: int = 6
) -> Case:
    """Plans in use, a third of them with empty slots; layers, samples and experts are of one shape."""
    layers, samples, experts = shape
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight = draw(weights((layers * samples, experts))).reshape(shape)
    rules = rules_of(weight, sizes, cap)
    previous = np.array([placement(rng, rules) for _ in range(layers)]).reshape(layers, rules.replicas)
    empty = rng.random(previous.shape) < rng.choice([0.0, 0.0, 0.0, 0.1, 0.5, 1.0], (layers, 1))
    budget = rng.integers(0, most_moves + 1, layers)
    return Case(np.where(empty, -1, previous).astype(np.int32), budget.astype(np.int32), weight)


def replanned(previous: Any, budget: Any, weight: Any, *, sizes: Sizes, cap: int = NO_CAP, **options: Any) -> Any:
    """The plan within budgets, for loads [layers, samples, experts]."""
    return renewed(previous, weight, sizes=sizes, cap=cap, max_moves=budget, **options)


def renewed(previous: Any, weight: Any, *, sizes: Sizes, cap: int = NO_CAP, **options: Any) -> Any:
    """The plan within no budget, or within one that is the same for all layers."""
    return rebalance_experts(by_sample(weight), *sizes, max_replicas=cap or None, previous=previous, **options)


def by_sample(weight: Any) -> Any:
    """Loads [layers, samples, experts] as `rebalance_experts` takes them: layers come first for `jax.vmap`."""
    xp = array_namespace(weight)
    return weight[:, 0, :] if weight.shape[1] == 1 else xp.permute_dims(weight, (1, 0, 2))


def follow(case: Case, sizes: Sizes, library: Library = NUMPY, **options: Any) -> Plan[NumPyArray]:
    """The plan of a case within its budgets."""
    found = library.run(replanned, *case, sizes=sizes, **options)
    assert isinstance(found, Plan)
    return found


def busiest(plan: NumPyArray, case: Case, gpus: int) -> NumPyArray:
    """The load of the busiest GPU of each sample; of several each divided by its tokens: [layers]."""
    samples = len(case.samples)
    load = clean(case.weight.reshape(-1, case.weight.shape[-1])).reshape(case.weight.shape).transpose(1, 0, 2)
    found: NumPyArray = evaluate((plan, plan, plan), load, gpus).gpu_load.max(axis=-1)
    if samples == 1:
        return found[0]
    tokens = load.sum(axis=-1, dtype=np.float64)
    each: NumPyArray = np.where(tokens > 0, found / np.where(tokens > 0, tokens, 1), 0).sum(axis=0)
    return each


def assert_maps(plan: Plan[NumPyArray], experts: int, width: int) -> None:
    """The slots of each expert, ascending, and their number."""
    for slots, of_expert, number in zip(*plan, strict=True):
        assert of_expert.shape == (experts, width)
        for expert in range(experts):
            its = np.flatnonzero(slots == expert).tolist()
            assert its
            assert of_expert[expert].tolist() == its + [-1] * (width - len(its))
            assert number[expert] == len(its)


def assert_follows(plan: Plan[NumPyArray], case: Case, sizes: Sizes, cap: int | None = None) -> None:
    """All that holds of a plan within a budget."""
    rules = rules_of(case.weight, sizes, cap)
    assert_maps(plan, rules.experts, cap or rules.replicas - rules.experts + 1)
    assert cap is None or plan.logcnt.max(initial=0) <= cap
    starts = []
    rows = zip(plan.phy2log.tolist(), case.previous.tolist(), case.budget.tolist(), strict=True)
    for (slots, previous, budget), loads in zip(rows, loads_of_layers(case.samples), strict=True):
        start = begun(previous, loads, budget, rules)
        starts.append(start.slots)
        assert_within(slots, previous, budget, start, rules)
        assert_on_nodes(slots, rules)
        assert_undoubled(slots, start.slots, rules)
    assert_no_worse(plan, np.array(starts, np.int64).reshape(plan.phy2log.shape), case, rules.gpus)


def assert_within(slots: Slots, previous: Slots, budget: int, start: Begun, rules: Rules) -> None:
    """No more moves than the budget has, beside those that filling takes; what stays keeps its slot."""
    least = moved(start.slots, start.before, rules.gpus)
    assert any(
        moved(slots, before, rules.gpus) == changed(slots, before) <= max(budget, least)
        for before in (start.before, previous)
    )
    if budget == 0:
        assert slots == start.slots
    if -1 not in previous:
        assert moved(slots, previous, rules.gpus) <= budget


def changed(slots: Slots, before: Slots) -> int:
    """Slots that are not what they were."""
    return sum(a != b for a, b in zip(slots, before, strict=True))


def assert_on_nodes(slots: Slots, rules: Rules) -> None:
    """Every expert is on one node, with its group, and groups are as many on each."""
    size = rules.experts // rules.groups
    on = {(expert // size, rules.node_of(slot // rules.capacity)) for slot, expert in enumerate(slots)}
    nodes = [node for _, node in on]
    if rules.nodes > 1:
        assert len(on) == rules.groups
        assert {nodes.count(node) for node in range(rules.nodes)} == {rules.groups // rules.nodes}


def assert_undoubled(slots: Slots, start: Slots, rules: Rules) -> None:
    """No GPU has an expert twice that hadn't, or more often; but fresh plans may, where there are too few experts."""
    if rules.capacity > rules.experts // rules.nodes:
        return
    for now, before in zip(by_gpu(slots, rules.gpus), by_gpu(start, rules.gpus), strict=True):
        assert all(now.count(expert) <= max(before.count(expert), 1) for expert in now)


def assert_no_worse(plan: Plan[NumPyArray], start: NumPyArray, case: Case, gpus: int) -> None:
    """The busiest GPU has no more; of several samples that is so within what their shares are rounded by."""
    now, before = (busiest(slots, case, gpus) for slots in (plan.phy2log, start))
    samples = len(case.samples)
    rounding = 0.0 if samples == 1 else samples * start.shape[1] * 2.0**-22
    assert (now <= before + rounding).all()
