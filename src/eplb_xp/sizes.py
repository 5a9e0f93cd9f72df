"""The sizes of a plan, checked once."""

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

# The correctly rounded division is proven for divisors up to 4096 (backends/division.py), and the
# search for the last spare looks at most two replicas beyond the last one.
MOST_SPARES = 4093


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


def check_integer(name: str, value: Any, *, at_least: int = 1) -> int:
    """An integer that is not too small, of Python or of an array library."""
    try:
        if isinstance(value, bool):
            raise TypeError("a truth value is no number")
        number = operator.index(value)
    except TypeError as error:
        hint = "; sizes are static, so jax.jit needs them in static_argnames" if hasattr(value, "dtype") else ""
        raise TypeError(
            f"{name} must be {'a positive' if at_least else 'an'} integer, "
            f"got {value!r} of type {type(value).__name__}{hint}"
        ) from error
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {number}")
    return number


def check_number(name: str, value: Any, least: float, most: float) -> None:
    """A number within limits, of Python or of NumPy."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be between {least} and {most}, got {value}")


def check_multiple(name: str, value: int, of_name: str, of: int, *, at_least: int = 1, at_most: int) -> None:
    """``value`` is a multiple of ``of``; the message names the nearest multiples within limits."""
    if value % of:
        lowest, highest = -(-at_least // of) * of, at_most // of * of
        below, above = value // of * of, value // of * of + of
        candidates = [min(max(multiple, lowest), highest) for multiple in (below, above)]
        works = f"nearest: {nearest(value, candidates)}" if lowest <= highest else f"none up to {at_most} is"
        raise ValueError(f"{name} must be a multiple of {of_name}: {value} is not a multiple of {of}; {works}")


def check_divisor(name: str, value: int, of_name: str, of: int, *, multiple_of: int = 1) -> None:
    """``value`` divides ``of``; the message names the nearest divisors that are multiples of a number."""
    if of % value:
        near = nearest(value, divisors(of, multiple_of))
        works = f"nearest: {near}" if near else f"no multiple of {multiple_of} does"
        raise ValueError(f"{name} must divide {of_name}: {value} does not divide {of}; {works}")


def divisors(of: int, multiple_of: int) -> list[int]:
    """The divisors of a number that are multiples of another, ascending."""
    return [divisor for divisor in range(multiple_of, of + 1, multiple_of) if of % divisor == 0]


def nearest(value: int, candidates: list[int]) -> str:
    """The candidates next to a value, below and above."""
    below = [candidate for candidate in candidates if candidate < value]
    above = [candidate for candidate in candidates if candidate > value]
    return " or ".join(map(str, (*below[-1:], *above[:1])))


def check_replicas(name: str, num_replicas: int, num_experts: int, *, multiple_of: int = 1) -> None:
    """Every expert gets a replica, and none can get more than the division is exact for."""
    most = (num_experts + MOST_SPARES) // multiple_of * multiple_of
    least = -(-num_experts // multiple_of) * multiple_of
    if num_experts <= num_replicas <= num_experts + MOST_SPARES:
        return
    on = f" for {multiple_of} GPUs" if multiple_of > 1 else ""
    works = f"nearest{on}: {least if num_replicas < num_experts else most}" if least <= most else f"no number is{on}"
    raise ValueError(
        f"{name} must be at least the number of experts and at most {MOST_SPARES} more: "
        f"{num_replicas} for {num_experts} experts is not; {works}"
    )


def check_nodes(num_gpus: int, num_nodes: int, num_replicas: int) -> None:
    """Every node has the same number of GPUs; the message names numbers that divide the replicas, if any do."""
    if num_gpus % num_nodes == 0:
        return
    even = divisors(num_replicas, num_nodes)
    if even:
        raise ValueError(
            f"num_gpus must be a multiple of num_nodes: {num_gpus} is not a multiple of {num_nodes}; "
            f"nearest for {num_replicas} replicas: {nearest(num_gpus, even)}"
        )
    check_multiple("num_gpus", num_gpus, "num_nodes", num_nodes, at_most=max(num_gpus, num_nodes) + num_nodes)


def check_sizes(
    num_experts: int, num_replicas: Any, num_groups: Any, num_nodes: Any, num_gpus: Any, *, name: str = "num_replicas"
) -> Sizes:
    """Sizes of a plan for so many experts; ``name`` is what the caller calls the replicas.

    Where the groups do not divide over the nodes the plan is global: one group, one node.
    """
    num_replicas = check_integer(name, num_replicas)
    num_groups = check_integer("num_groups", num_groups)
    num_nodes = check_integer("num_nodes", num_nodes)
    num_gpus = check_integer("num_gpus", num_gpus)
    if num_groups % num_nodes:
        num_groups, num_nodes = 1, 1
    most = num_experts + MOST_SPARES
    check_divisor("num_groups", num_groups, "the number of experts", num_experts, multiple_of=num_nodes)
    check_replicas(name, num_replicas, num_experts, multiple_of=num_gpus)
    check_nodes(num_gpus, num_nodes, num_replicas)
    check_multiple(name, num_replicas, "num_gpus", num_gpus, at_least=num_experts, at_most=most)
    return Sizes(num_replicas, num_groups, num_nodes, num_gpus)
