"""The sizes of a plan, checked once."""

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from eplb_xp.fitting import Asked, Rules


@dataclass(frozen=True)
class Sizes:
    """Sizes that fit together; frozen and hashable, so that they are static under ``jax.jit``."""

    num_replicas: int
    num_groups: int
    num_nodes: int
    num_gpus: int
    max_replicas: int | None = None  # of one expert

    @property
    def of_node(self) -> "Sizes":
        """The sizes of one node."""
        nodes = self.num_nodes
        return Sizes(self.num_replicas // nodes, self.num_groups // nodes, 1, self.num_gpus // nodes, self.max_replicas)

    def width(self, experts: int) -> int:
        """Of log2phy: how many replicas an expert may have."""
        return self.max_replicas or self.num_replicas - experts + 1

    def map_shapes(self, layers: int, experts: int) -> tuple[tuple[int, ...], ...]:
        """Of phy2log, log2phy and logcnt."""
        return (layers, self.num_replicas), (layers, experts, self.width(experts)), (layers, experts)


def as_integer(name: str, value: Any, kind: str = "a positive") -> int:
    """An integer of Python or of an array library."""
    try:
        if isinstance(value, bool):
            raise TypeError("a truth value is no number")
        return operator.index(value)
    except TypeError as error:
        hint = "; sizes are static, so jax.jit needs them in static_argnames" if hasattr(value, "dtype") else ""
        if value is None and name in {"num_groups", "num_nodes"}:
            hint = "; 1 is a global plan"
        raise TypeError(f"{name} must be {kind} integer, got {value!r} of type {type(value).__name__}{hint}") from error


def check_integer(name: str, value: Any, *, at_least: int = 1) -> int:
    """An integer that is not too small."""
    number = as_integer(name, value, "a positive" if at_least else "an")
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {number}")
    return number


def check_number(name: str, value: Any, least: float, most: float) -> None:
    """A number within limits, of Python or of NumPy."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be between {least} and {most}, got {value}")


def check_multiple(name: str, value: int, of_name: str, of: int, *, at_most: int) -> None:
    """``value`` is a multiple of ``of``; the message names the nearest multiples up to a number."""
    if value % of:
        near = nearest(value, list(range(of, at_most + 1, of)))
        works = f"nearest: {near}" if near else f"none up to {at_most} is"
        raise ValueError(f"{name} must be a multiple of {of_name}: {value} is not a multiple of {of}; {works}")


def check_divisor(name: str, value: int, of_name: str, of: int) -> None:
    """``value`` divides ``of``; the message names the nearest divisors."""
    if of % value:
        near = nearest(value, [divisor for divisor in range(1, of + 1) if of % divisor == 0])
        raise ValueError(
            f"{name} must divide {of_name}: {value} does not divide {of}; nearest that work: {name}={near}"
        )


def nearest(value: int, candidates: list[int]) -> str:
    """The candidates next to a value, below and above."""
    below = [candidate for candidate in candidates if candidate < value]
    above = [candidate for candidate in candidates if candidate > value]
    return " or ".join(map(str, (*below[-1:], *above[:1])))


def check_sizes(
    num_experts: int,
    num_replicas: Any,
    num_groups: Any,
    num_nodes: Any,
    num_gpus: Any,
    *,
    name: str = "num_replicas",
    are_given: bool = False,
    keeps_groups: bool = False,
) -> Sizes:
    """Sizes of a plan for so many experts; `Rules` has what the caller may say of them.

    Where the groups do not divide over the nodes the plan is global: one group, one node.
    """
    rules = Rules(num_experts, name, are_given=are_given, keeps_groups=keeps_groups)
    asked = Asked(
        as_integer(name, num_replicas),
        as_integer("num_groups", num_groups),
        as_integer("num_nodes", num_nodes),
        as_integer("num_gpus", num_gpus),
    )
    fault = rules.fault(asked)
    if fault is not None:
        raise ValueError(f"{fault}; {rules.advice(asked)}")
    groups, nodes = (1, 1) if asked.is_global else (asked.num_groups, asked.num_nodes)
    return Sizes(asked.num_replicas, groups, nodes, asked.num_gpus)
