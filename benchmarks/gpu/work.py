"""What each case does, with what it is timed, and what it is checked on."""

from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.gpu import batches, following, loads
from benchmarks.gpu.batches import NODES, Quotas, Routing, Sharing
from benchmarks.gpu.cases import Case, Work
from benchmarks.gpu.following import Following
from benchmarks.gpu.loads import NumPyArray
from eplb_xp import POLICIES, rebalance_experts
from eplb_xp.backends.launching import dividing, launch, routing, sharing
from eplb_xp.backends.launching import following as follows
from eplb_xp.backends.takeover import Refusal
from eplb_xp.sizes import check_sizes


def call_of(case: Work, place: batches.Place) -> Callable[[Any], Any]:
    """What is called with loads or tokens of a library, to which all else is given by ``place``."""
    if isinstance(case, Case):
        return lambda load: rebalance_experts(load, **case.arguments)
    if isinstance(case, Following):
        return following.call_of(case, place)
    return batches.call_of(case, place)


def timed(case: Work) -> NumPyArray:
    """Loads or tokens in turn: [sets, ...]."""
    if isinstance(case, Case):
        return loads.timed(case.layers, case.experts)
    return following.timed(case) if isinstance(case, Following) else batches.timed(case)


def checked(case: Work, seed: int) -> Iterable[tuple[NumPyArray, list[str]]]:
    """Loads or tokens, and the family of each layer or token."""
    if isinstance(case, Case):
        return loads.fresh(case.layers, case.experts, seed)
    return following.checked(case, seed) if isinstance(case, Following) else batches.checked(case, seed)


def refusal(case: Work) -> Refusal | None:
    """Why the kernels leave it to the once-written code, if they do."""
    how: Any
    if isinstance(case, Case):
        sizes = check_sizes(case.experts, case.replicas, case.groups, case.nodes, case.gpus)
        how = launch.launch(case.layers, case.experts, sizes, POLICIES[case.policy])
    elif isinstance(case, Following):
        sizes = check_sizes(case.experts, case.replicas, 1, 1, case.gpus)
        how = follows.launch((case.layers, 1, case.experts), sizes, POLICIES["joint"], 1)
    elif isinstance(case, Sharing):
        how = sharing.launch(case.layers, case.experts, case.replicas, case.gpus)
    else:
        how = _dividing(case) if isinstance(case, Quotas) else _routing(case)
    return how if isinstance(how, Refusal) else None


def _dividing(case: Quotas) -> Any:
    counts, width = (case.layers, case.gpus, case.experts), case.replicas - case.experts + 1
    return dividing.launch(counts, case.replicas, width, nodes=NODES, is_of_one=True, index_bits=64)


def _routing(case: Routing) -> Any:
    width = case.replicas - case.experts + 1
    tokens = 1, case.tokens * case.choices
    return routing.launch(tokens, width, case.experts, by_quota=case.by == "quota", has_first=False, index_bits=64)
