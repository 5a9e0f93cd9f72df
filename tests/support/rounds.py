"""Plans that follow each other for many rounds, whatever changes in between: a machine for Hypothesis to drive."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from eplb_xp import Plan, Policy, rebalance_experts
from tests.support.following import Case, assert_follows, replanned
from tests.support.libraries import NUMPY, Library, NumPyArray
from tests.support.plans import assert_same
from tests.support.references.beginning import begun, loads_of_layers, rules_of

EXPERTS, MOST_MOVES = 8, 7


class Rounds(RuleBasedStateMachine):
    """Loads drift, slots become empty, budgets change; each plan follows the one before."""

    layers, samples = 3, 2
    sizes = (12, 4, 2, 4)
    cap = 3
    policy = Policy(rounds=0)
    library: Library = NUMPY

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.weight = self.rng.lognormal(0, 1, (self.layers, self.samples, EXPERTS)).astype(np.float32)
        self.previous, self.budget, self.gain = self.fresh(), np.full(self.layers, 2), 0.0

    def fresh(self) -> NumPyArray:
        weight = self.weight.transpose(1, 0, 2)
        return rebalance_experts(weight, *self.sizes, policy=self.policy, max_replicas=self.cap).phy2log

    @rule(much=st.sampled_from([0.0, 0.1, 1.0]))
    def drift(self, much: float) -> None:
        self.weight = (self.weight * self.rng.lognormal(0, much, self.weight.shape)).astype(np.float32)

    @rule(share=st.sampled_from([0.0, 0.5, 0.9]))
    def new_loads(self, share: float) -> None:
        """Some experts without any, and perhaps none with."""
        load = self.rng.integers(0, 50, self.weight.shape) * (self.rng.random(self.weight.shape) >= share)
        self.weight = load.astype(np.float32)

    @rule()
    def a_sample_without_tokens(self) -> None:
        self.weight = self.weight.copy()
        self.weight[:, self.rng.integers(self.samples)] = 0

    @rule(share=st.sampled_from([0.1, 0.4]))
    def slots_become_empty(self, share: float) -> None:
        self.previous = np.where(self.rng.random(self.previous.shape) < share, -1, self.previous)

    @rule(gpu=st.integers(0, 3))
    def a_gpu_is_lost(self, gpu: int) -> None:
        self.previous = np.where(np.arange(12) // 3 == gpu, -1, self.previous)

    @rule(most=st.integers(0, MOST_MOVES))
    def other_budgets(self, most: int) -> None:
        self.budget = self.rng.integers(0, most + 1, self.layers)

    @rule(gain=st.sampled_from([0.0, 0.05, 1.0]))
    def another_gain(self, gain: float) -> None:
        self.gain = gain

    @rule()
    def plan_anew(self) -> None:
        self.previous = self.fresh()

    @rule()
    def nothing_new(self) -> None:
        pass

    @invariant()
    def the_next_plan_follows(self) -> None:
        case = Case(self.previous.astype(np.int32), self.budget.astype(np.int32), self.weight)
        plan = self.replan(case)
        assert_follows(plan, case, self.sizes, self.cap)
        if self.gain == 1.0:
            rules = rules_of(case.weight, self.sizes, self.cap)
            rows = zip(case.previous.tolist(), loads_of_layers(case.samples), case.budget.tolist(), strict=True)
            assert plan.phy2log.tolist() == [begun(*row, rules).slots for row in rows]
        self.previous = plan.phy2log

    def replan(self, case: Case) -> Plan[NumPyArray]:
        options: dict[str, Any] = {"sizes": self.sizes, "cap": self.cap, "policy": self.policy}
        options |= {"min_gain": self.gain} if self.gain else {}
        found: Plan[NumPyArray] = NUMPY.run(replanned, *case, **options)
        if self.library is not NUMPY:
            assert_same(self.library.run(replanned, *case, **options), found)
        return found
