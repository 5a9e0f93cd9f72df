"""Plans that follow others by Triton's kernels: interpreted, and as they are compiled; and those of NumPy."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from eplb_xp import POLICIES, Plan, rebalance_experts
from eplb_xp.algorithms.following import follow as following
from eplb_xp.algorithms.following.turns import NARROW, WIDE, Aims
from eplb_xp.backends.kernels.following.beginning import begin
from eplb_xp.backends.kernels.following.follow import follow as choose
from eplb_xp.backends.kernels.following.path import walk
from eplb_xp.backends.launching.compiling import quickly
from eplb_xp.backends.launching.following import Launch, launch
from eplb_xp.backends.launching.static import Static
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes, check_sizes
from tests.support.following import NEAR, placement
from tests.support.kernels import POISON, Interpreted, as_tensor
from tests.support.libraries import NumPyArray
from tests.support.plans import assert_same
from tests.support.references.beginning import rules_of

# How many paths of both kinds there are: all, or as few as can be interpreted soon.
Paths = tuple[int, int]
ALL: Paths = (len(WIDE), len(NARROW))
FEW: Paths = (1, 1)

# Arguments of kernels that are no words of memory.
TYPES = {
    **dict.fromkeys(("previous_ptr", "budget_ptr", "phy2log", "log2phy", "logcnt"), "*i64"),
    **dict.fromkeys(("weight_ptr", "min_gain_ptr"), "*fp32"),
    **dict.fromkeys(("row_stride", "column_stride"), "i32"),
    "S": "constexpr",
}


class Shape(NamedTuple):
    """Sizes of layers, and how their plans are made."""

    experts: int
    replicas: int
    gpus: int
    groups: int = 1
    nodes: int = 1
    most: int | None = None
    policy: str = "swap"

    @property
    def sizes(self) -> Sizes:
        checked = check_sizes(self.experts, self.replicas, self.groups, self.nodes, self.gpus)
        return replace(checked, max_replicas=self.most)

    @property
    def its_policy(self) -> Policy:
        return POLICIES[self.policy]


class Case(NamedTuple):
    """What the step is given."""

    shape: Shape
    previous: NumPyArray  # [layers, replicas]
    budget: NumPyArray  # [layers, 1]
    min_gain: NumPyArray  # [layers, 1]
    weight: NumPyArray  # [layers, 1, experts]

    @property
    def settings(self) -> dict[str, Any]:
        shape = self.shape
        return {"sizes": shape.sizes, "policy": shape.its_policy, "divides": True, **NEAR, "gpus_per_node": shape.gpus}


def drawn(
    seed: Any,
    shape: Shape,
    layers: int = 1,
    *,
    moves: int = 2,
    is_planned: bool = False,
    is_doubled: bool = False,
    empty: float = 0.0,
    min_gain: float = 0.0,
) -> Case:
    """Plans of earlier loads, any or doubled, so many slots empty; loads that have changed since, and budgets.

    In doubled ones all replicas of an expert are on one GPU, or on two.
    """
    rng = np.random.default_rng(seed)
    old = rng.lognormal(0, 1, (layers, shape.experts)).astype(np.float32)
    new = (old * rng.lognormal(0, rng.choice([0.1, 0.5], (layers, 1)), old.shape)).astype(np.float32)
    new[rng.random(layers) < 0.3] *= 10
    new = np.where(new > 30, np.round(new), new)
    sizes = (shape.replicas, shape.groups, shape.nodes, shape.gpus)
    if is_planned:
        previous = rebalance_experts(old, *sizes, policy=shape.its_policy, max_replicas=shape.most).phy2log
    elif is_doubled:
        each = shape.replicas // shape.experts
        previous = np.stack([np.repeat(rng.permutation(shape.experts), each) for _ in range(layers)])
    else:
        rules = rules_of(new[:, None], sizes, shape.most)
        previous = np.array([placement(rng, rules) for _ in range(layers)])
    previous = np.where(rng.random(previous.shape) < empty, -1, previous)
    budget = rng.integers(0, moves + 1, (layers, 1))
    budget[-1] = moves
    return Case(shape, previous, budget, np.full((layers, 1), min_gain, np.float32), new[:, None])


def expected(case: Case, paths: Paths = ALL) -> Plan[NumPyArray]:
    """By NumPy, whatever the plan and the loads are: on a device nobody looks at them before."""
    aims = Aims(WIDE[: paths[0]], NARROW[: paths[1]], (0,) * paths[1])
    with mock.patch.object(following, "FOLLOWING", aims), np.errstate(all="ignore"):
        found: Plan[NumPyArray] = following.follow(LIBRARY, *case[1:], **case.settings)
    return found


def launch_of(layers: int, shape: Shape, paths: Paths = ALL) -> Launch:
    """How a plan is launched, which is not refused."""
    how = launch((layers, 1, shape.experts), shape.sizes, shape.its_policy, 1)
    assert not isinstance(how, Refusal), how.reason
    return replace(how, sizes=replace(how.sizes, wide_aims=WIDE[: paths[0]], narrow_aims=NARROW[: paths[1]]))


class Walked(NamedTuple):
    """What kernels leave behind: blocks of memory, row by row."""

    layers: NumPyArray
    wide: NumPyArray
    narrow: NumPyArray
    plan: Plan[NumPyArray]


def walked(
    case: Case, paths: Paths = FEW, *, is_spread: bool = False, poison: int = POISON, block: int | None = None
) -> Walked:
    """The plan by interpreted kernels, which begin with poison in all their memory.

    Loads that are spread are not next to each other; so many experts are looked at at once.
    """
    assert triton.knobs.runtime.interpret
    layers = len(case.previous)
    how = launch_of(layers, case.shape, paths)
    how = how if block is None else replace(how, sizes=replace(how.sizes, block=block))
    its = how.sizes
    shapes = (layers, its.slots), (layers, its.experts, its.width), (layers, its.experts)
    maps = [torch.full(shape, poison) for shape in shapes]
    of_layers, wide, narrow, plans = (torch.full((words,), poison, dtype=torch.int32) for words in how.words)
    weight = as_tensor(case.weight[:, 0], is_spread)
    previous, budget, min_gain = map(torch.asarray, (case.previous, case.budget, case.min_gain))
    of_begin, of_wide, of_narrow, of_choose = how.programs
    begin[of_begin,](previous, budget, weight, *weight.stride(), of_layers, Static(its))
    walk[of_wide,](of_layers, of_layers, wide, Static(its))
    walk[of_narrow,](of_layers, wide, narrow, Static(how.of_narrow))
    choose[of_choose,](min_gain, of_layers, wide, narrow, plans, *maps, Static(its))
    blocks = [x.reshape(number, -1).numpy() for x, number in zip((of_layers, wide, narrow), how.programs, strict=False)]
    return Walked(blocks[0], blocks[1], blocks[2], Plan(*(x.numpy() for x in maps)))


def followed(case: Case, paths: Paths = FEW, **options: Any) -> Plan[NumPyArray]:
    """The same, the plan alone."""
    return walked(case, paths, **options).plan


def check(interpreted: Interpreted, case: Case, paths: Paths = FEW, **options: Any) -> Plan[NumPyArray]:
    """The plan, which NumPy makes too."""
    want = expected(case, paths)
    assert_same(interpreted(followed, case, paths, **options), want)
    return want


def compiled(how: Launch, kernels: Sequence[Any] = (begin, walk, choose)) -> dict[str, Any]:
    """What kernels are on an H100, of paths the narrow ones: their code in several languages."""
    found = {}
    for kernel in kernels:
        types = {name: TYPES.get(name, "*i32") for name in kernel.arg_names}
        sizes = how.of_narrow if kernel is walk else how.sizes
        source = ASTSource(kernel, types, {(kernel.arg_names.index("S"),): Static(sizes)})
        options = {"num_warps": sizes.warps if kernel is walk else 4, "enable_fp_fusion": False}
        with quickly():
            found[kernel.__name__] = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm
    return found
