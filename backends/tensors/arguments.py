"""Sizes and a policy as lists of numbers, because an operator of torch takes no objects."""

import functools
from collections.abc import Sequence
from typing import Any

from eplb_xp.policy import NEIGHBOURHOODS, Policy
from eplb_xp.sizes import Sizes

SIZES = ("num_replicas", "num_groups", "num_nodes", "num_gpus", "max_replicas")

# Fields of a policy, beside its neighbourhood.
INTEGERS = ("may_double", "ring", "starts", "rounds", "finish", "shakes", "seed", "levels", "refined", "generations")
FLOATS = ("noise", "threshold", "tolerance")

Numbers = tuple[list[int], list[int], list[float]]


def as_numbers(sizes: Sequence[Any], policy: Policy | None = None) -> Numbers:
    """The sizes, and the policy's integers and floats; empty lists where a step has no policy."""
    numbers = [x for size in sizes for x in (_of_sizes(size) if isinstance(size, Sizes) else [size])]
    if policy is None:
        return numbers, [], []
    integers = [int(getattr(policy, name)) for name in INTEGERS] + [NEIGHBOURHOODS.index(policy.neighbourhood)]
    return numbers, integers, [getattr(policy, name) for name in FLOATS]


def as_objects(names: Sequence[str], sizes: list[int], integers: list[int], floats: list[float]) -> dict[str, Any]:
    """The arguments of a step again, the sizes under their names there."""
    made: dict[str, Any] = {}
    if names[:1] == ("sizes",):
        (replicas, groups, nodes, gpus, most), sizes = sizes[: len(SIZES)], sizes[len(SIZES) :]
        made["sizes"], names = Sizes(replicas, groups, nodes, gpus, most or None), names[1:]
    made.update(zip(names, sizes, strict=False))
    return {**made, "policy": _policy(tuple(integers), tuple(floats))} if integers else made


def _of_sizes(sizes: Sizes) -> list[int]:
    return [getattr(sizes, name) or 0 for name in SIZES]


@functools.lru_cache(maxsize=256)
def _policy(integers: tuple[int, ...], floats: tuple[float, ...]) -> Policy:
    may_double, ring, *others, neighbourhood = integers
    fields: dict[str, Any] = dict(zip((*INTEGERS[2:], *FLOATS), (*others, *floats), strict=True))
    return Policy(may_double=bool(may_double), ring=bool(ring), neighbourhood=NEIGHBOURHOODS[neighbourhood], **fields)
