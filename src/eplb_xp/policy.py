"""Policies: how a plan is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eplb_xp.sizes import as_integer, check_integer, check_number

NEIGHBOURHOODS = ("any", "lightest")
MOST_STARTS = 4096
MOST_LEVELS = 1024
MOST_GENERATIONS = 1024
MOST_SHAKES = 1024
MOST_ROUNDS = 2**20
MOST_SEED = 2**31 - 1
# What a ring leaves no choice of.
RING: Mapping[str, Any] = {"may_double": False, "starts": 1, "finish": 0, "shakes": 0, "levels": 0}
WIDEST = 4096  # log2phy, unless there are more replicas


@dataclass(frozen=True)
class Policy:
    """A way of planning; frozen and hashable, so that it is static under ``jax.jit``.

    Every policy hands out replicas by EPLB's rule and packs them heaviest first into the lightest
    GPU that is not full. What differs is what comes on top: several starts of the packing, swaps of
    replicas between GPUs that lower the busiest one, further steps, and other replica counts. The
    named policies are entries of `eplb_xp.POLICIES`; ``dataclasses.replace`` changes their fields.

    Parameters
    ----------
    may_double : bool
        Whether an expert may have two replicas on one GPU, and more replicas than GPUs in its reach
        (those of its node in a hierarchical plan, else all). If not, it does only where the sizes leave
        no other way, and spare replicas of experts without load are spread.
    starts : int
        Packings to try, 1 to 4096; the one with the smallest busiest GPU is kept, for each layer and
        node by itself.
    noise : float
        Start c of n sorts by load times (1 + u * noise * c / (n - 1)), u uniform in [0, 1), and packs
        with the true loads: the first start is the plain one.
    neighbourhood : {"any", "lightest"}
        Between which GPUs the best swap is looked for: the busiest and any other, or the busiest and
        the lightest.
    rounds : int
        The most swaps for each start, layer and node; 0 for none, at most 1048576.
    finish : int
        The most further steps with four slots a GPU or more: swaps and, up to sixteen slots, where none helps,
        exchanges, two replicas of the busiest GPU for two of another. 0 for none, at most 1048576.
    shakes : int
        Further steps with three slots a GPU, in which all GPUs but the busiest swap replicas in pairs where no
        swap with that helps, to make room for one: how often each GPU meets each other one, until a bound is reached.
        0 for never, at most 1024.
    threshold : float
        Swaps end when the best one would bring the two GPUs less than this share of the mean GPU load
        below the busiest GPU's load.
    seed : int
        Seed of the noise, at most 2147483647.
    levels : int
        Levels of other replica counts to try, 0 for none, at most 1024. At each level fewer spare replicas go
        to the largest replicas; the rest go one each to experts with one replica, once to the
        heaviest and once to the lightest of them.
    refined : int
        Of those candidates, how many of the best after packing are refined by swaps and further steps, at most 2048;
        twice as many with three slots a GPU, and one more with two, four or five. Several generations have none more,
        and half as many where there are further steps.
    generations : int
        With at most 32 slots, how many generations of candidates there are, 1 to 1024; else there is one. Each but the
        first has 16 candidates a level and gives an expert one, two or three replicas that others give up, in the best
        candidates of the one before. They share the further steps.
    tolerance : float
        Other counts are tried where the busiest GPU is more than this share above a bound, the mean GPU load or
        the largest replica.
    ring : bool
        Whether the placement is one made for shares (`share_tokens`): each expert's replicas on neighbours of a ring,
        the next expert beginning on the last of them, turn after turn, each by another stride. Then experts of
        equally many replicas swap all their places, ``rounds`` times at most, to even out equal shares. It has one
        start, no further steps and no other counts.

    Raises
    ------
    TypeError, ValueError
        Where a field has the wrong type or is out of its range.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from eplb_xp import POLICIES
    >>> replace(POLICIES["multistart"], neighbourhood="any", rounds=50).starts
    64
    """

    may_double: bool = False
    starts: int = 1
    noise: float = 0.2
    neighbourhood: str = "any"
    rounds: int = 50
    finish: int = 0
    shakes: int = 0
    threshold: float = 2.0**-20
    seed: int = 0
    levels: int = 0
    refined: int = 8
    generations: int = 20
    tolerance: float = 2.0**-13
    ring: bool = False

    def __post_init__(self) -> None:
        for name in ("may_double", "ring"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        neighbourhood: Any = self.neighbourhood
        if not isinstance(neighbourhood, str) or neighbourhood not in NEIGHBOURHOODS:
            names = " or ".join(map(repr, NEIGHBOURHOODS))
            raise ValueError(f"neighbourhood must be {names}, got {neighbourhood!r}")
        self._set_integer("starts", 1, MOST_STARTS)
        self._set_integer("rounds", 0, MOST_ROUNDS)
        self._set_integer("finish", 0, MOST_ROUNDS)
        self._set_integer("shakes", 0, MOST_SHAKES)
        self._set_integer("levels", 0, MOST_LEVELS)
        self._set_integer("refined", 1, 2 * MOST_LEVELS)
        self._set_integer("generations", 1, MOST_GENERATIONS)
        self._set_integer("seed", 0, MOST_SEED)
        self._set_float("noise")
        self._set_float("threshold")
        self._set_float("tolerance")
        if self.may_double and self.levels:
            raise ValueError(f"levels keep replicas apart, so may_double must be False, got levels={self.levels}")
        if self.starts > 1 and self.levels:
            raise ValueError(
                "with levels all counts are packed once, so starts must be 1, "
                f"got starts={self.starts}, levels={self.levels}"
            )
        if self.ring:
            for name, wanted in RING.items():
                if getattr(self, name) != wanted:
                    raise ValueError(f"with ring, {name} must be {wanted}, got {name}={getattr(self, name)}")

    def _set_integer(self, name: str, least: int, most: int) -> None:
        value = check_integer(name, getattr(self, name), at_least=least)
        if value > most:
            raise ValueError(f"{name} must be at most {most}, got {value}")
        object.__setattr__(self, name, value)

    def _set_float(self, name: str) -> None:
        value = getattr(self, name)
        check_number(name, value, 0, 1)
        object.__setattr__(self, name, float(value))


POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "greedy": Policy(may_double=True, rounds=0),
        "swap": Policy(),
        "multistart": Policy(starts=64, neighbourhood="lightest", rounds=20),
        "joint": Policy(finish=200, shakes=2, levels=12),
        "ring": Policy(ring=True, rounds=200, threshold=2.0**-10),
    }
)


def as_policy(policy: Any) -> Policy:
    """The policy itself, or the one of that name."""
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, str) and policy in POLICIES:
        return POLICIES[policy]
    names = ", ".join(map(repr, POLICIES))
    if isinstance(policy, str):
        raise ValueError(f"policy {policy!r} is not known; the names are {names}")
    raise TypeError(
        f"policy must be a name or a Policy, got {policy!r} of type {type(policy).__name__}; the names are {names}"
    )


def check_max_replicas(max_replicas: Any, num_experts: int, num_replicas: int, policy: Policy) -> int:
    """The cap of the counts: enough for all replicas, and no map too wide."""
    most = as_integer("max_replicas", max_replicas)
    if policy.may_double:
        raise ValueError(
            "max_replicas caps the replica counts, which a policy that may double replicas, as 'greedy', "
            f"can't do because it equals EPLB; got max_replicas={most}: leave it out"
        )
    least, widest = -(-num_replicas // num_experts), max(num_replicas, WIDEST)
    if most < 1:
        raise ValueError(f"max_replicas must be at least 1, got {most}; nearest that work: max_replicas={least}")
    if not least <= most <= widest:
        raise ValueError(
            f"max_replicas must be between {least}, which {num_replicas} replicas of {num_experts} experts take, "
            f"and {widest}, got {most}"
        )
    return most
