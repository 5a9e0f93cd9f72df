"""Sizes and a policy as lists of numbers, because an operator of torch takes no objects."""

import functools
from typing import Any

from eplb_xp.policy import NEIGHBOURHOODS, Policy
from eplb_xp.sizes import Sizes

SIZES = ("num_replicas", "num_groups", "num_nodes", "num_gpus", "max_replicas")

# Fields of a policy, beside its neighbourhood.
INTEGERS = ("may_double", "starts", "rounds", "finish", "shakes", "seed", "levels", "refined", "generations")
FLOATS = ("noise", "threshold", "tolerance")

Numbers = tuple[list[int], list[int], list[float]]


def as_numbers(sizes: Sizes | int, policy: Policy | None = None) -> Numbers:
    """The sizes, and the policy's integers and floats; empty lists where a step has no policy."""
    numbers = [sizes] if isinstance(sizes, int) else [getattr(sizes, name) or 0 for name in SIZES]
    if policy is None:
        return numbers, [], []
    integers = [int(getattr(policy, name)) for name in INTEGERS] + [NEIGHBOURHOODS.index(policy.neighbourhood)]
    return numbers, integers, [getattr(policy, name) for name in FLOATS]


def as_objects(name: str, sizes: list[int], integers: list[int], floats: list[float]) -> dict[str, Any]:
    """The arguments of a step again, the sizes under their name there."""
    made: Any = sizes[0]
    if name == "sizes":
        replicas, groups, nodes, gpus, most = sizes
        made = Sizes(replicas, groups, nodes, gpus, most or None)
    return {name: made, "policy": _policy(tuple(integers), tuple(floats))} if integers else {name: made}


@functools.lru_cache(maxsize=256)
def _policy(integers: tuple[int, ...], floats: tuple[float, ...]) -> Policy:
    may_double, *others, neighbourhood = integers
    fields: dict[str, Any] = dict(zip((*INTEGERS[1:], *FLOATS), (*others, *floats), strict=True))
    return Policy(may_double=bool(may_double), neighbourhood=NEIGHBOURHOODS[neighbourhood], **fields)
