"""Policies: how a plan is made."""

from dataclasses import dataclass

POLICIES = ("greedy",)


@dataclass(frozen=True)
class Policy:
    """A way of planning; frozen and hashable, so that it is static under ``jax.jit``.

    Parameters
    ----------
    name : str
        ``"greedy"``: replicas one by one to the expert with the largest load per replica, then
        each replica, heaviest first, to the lightest GPU with a free slot. It equals
        deepseek-ai/EPLB with a stable sort, bit for bit, and never changes between versions.

    Raises
    ------
    TypeError, ValueError
        Where the name is not a string, or not the name of a policy.
    """

    name: str = "greedy"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(
                f"policy must be a name or a Policy, got {self.name!r} of type {type(self.name).__name__}; "
                f"the names are {', '.join(map(repr, POLICIES))}"
            )
        if self.name not in POLICIES:
            raise ValueError(f"policy {self.name!r} is not known; the names are {', '.join(map(repr, POLICIES))}")


def as_policy(policy: "str | Policy") -> Policy:
    """The policy itself, or the one of that name."""
    return policy if isinstance(policy, Policy) else Policy(policy)
