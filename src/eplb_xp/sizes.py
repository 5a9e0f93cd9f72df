"""The sizes of a plan, checked once."""

import operator
from dataclasses import dataclass
from typing import Any

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


def check_integer(name: str, value: Any) -> int:
    """A positive integer, of Python or of an array library."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a positive integer, got {value!r} of type {type(value).__name__}") from None
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number


def check_multiple(name: str, value: int, of_name: str, of: int, least: int = 1) -> None:
    """``value`` is a multiple of ``of``; the message names the nearest multiples from ``least`` up."""
    if value % of:
        up = max(-(-value // of), -(-least // of)) * of
        candidates = [multiple for multiple in (up - of, up) if multiple >= max(least, of)]
        raise ValueError(
            f"{name} must be a multiple of {of_name}: {value} is not a multiple of {of}; "
            f"nearest: {nearest(value, candidates)}"
        )


def check_divisor(name: str, value: int, of_name: str, of: int, multiple_of: int = 1) -> None:
    """``value`` divides ``of``; the message names the nearest divisors, multiples of a number if there are any."""
    if of % value:
        candidates = [divisor for divisor in divisors(of) if divisor % multiple_of == 0] or divisors(of)
        raise ValueError(
            f"{name} must divide {of_name}: {value} does not divide {of}; nearest: {nearest(value, candidates)}"
        )


def nearest(value: int, candidates: list[int]) -> str:
    """The candidates next to the value, below and above."""
    below = [candidate for candidate in candidates if candidate < value]
    above = [candidate for candidate in candidates if candidate > value]
    return " or ".join(str(candidate) for candidate in (*below[-1:], *above[:1]))


def divisors(number: int) -> list[int]:
    """The divisors of a number, ascending."""
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def check_replicas(num_experts: int, num_replicas: int, num_gpus: int) -> None:
    """Every expert gets a replica, and every GPU the same number of slots."""
    check_multiple("num_replicas", num_replicas, "num_gpus", num_gpus, least=num_experts)
    if num_replicas < num_experts:
        least = -(-num_experts // num_gpus) * num_gpus
        raise ValueError(
            f"num_replicas must be at least the number of experts: {num_replicas} is less than {num_experts}; "
            f"the fewest that work on {num_gpus} GPUs: {least}"
        )
    check_spares("num_replicas", num_experts, num_replicas, num_gpus)


def check_spares(name: str, num_experts: int, num_replicas: int, multiple_of: int = 1) -> None:
    """No expert can get more replicas than the division is exact for."""
    spares = num_replicas - num_experts
    if spares > MOST_SPARES:
        most = (num_experts + MOST_SPARES) // multiple_of * multiple_of
        works = f"the most that works: {most}" if most >= num_experts else f"none works on {multiple_of} GPUs"
        raise ValueError(
            f"{name} must be at most the number of experts + {MOST_SPARES}: "
            f"{num_replicas} - {num_experts} = {spares} is more; {works}"
        )


def check_sizes(num_experts: int, num_replicas: Any, num_groups: Any, num_nodes: Any, num_gpus: Any) -> Sizes:
    """Sizes of a plan for so many experts.

    Where the groups do not divide over the nodes the plan is global: one group, one node.
    """
    num_replicas = check_integer("num_replicas", num_replicas)
    num_groups = check_integer("num_groups", num_groups)
    num_nodes = check_integer("num_nodes", num_nodes)
    num_gpus = check_integer("num_gpus", num_gpus)
    check_replicas(num_experts, num_replicas, num_gpus)
    if num_groups % num_nodes:
        num_groups, num_nodes = 1, 1
    check_divisor("num_groups", num_groups, "the number of experts", num_experts, multiple_of=num_nodes)
    if num_gpus % num_nodes:
        even = [gpus for gpus in divisors(num_replicas) if gpus % num_nodes == 0]
        if even:
            works = f"nearest that divide {num_replicas} replicas: {nearest(num_gpus, even)}"
        else:
            works = f"no number of GPUs works, because {num_replicas} replicas are no multiple of {num_nodes} either"
        raise ValueError(
            f"num_gpus must be a multiple of num_nodes: {num_gpus} is not a multiple of {num_nodes}; {works}"
        )
    return Sizes(num_replicas, num_groups, num_nodes, num_gpus)
