"""The arrays that go in and the tuples that come out."""

from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

# Inside the algorithms an array is whatever the library at hand calls one.
Array: TypeAlias = Any


@runtime_checkable
class ArrayLike(Protocol):
    """An array of a supported library: NumPy, JAX, PyTorch, or another of the Array API standard."""

    @property
    def shape(self) -> Any:
        """Its dimensions."""

    @property
    def dtype(self) -> Any:
        """What its entries are."""


# Loads of one library in, plans of the same library out.
A = TypeVar("A", bound=ArrayLike)

# What is pickled of these tuples is their class, by its name in this module, and their values in order. So that later
# versions read it, a field that is added comes last and has a default.


class Plan(NamedTuple, Generic[A]):
    """Where every replica goes: the triple that EPLB returns, and a JAX pytree as it is.

    Attributes
    ----------
    phy2log : [layers, replicas] integers
        The logical expert in each slot; slot = gpu * slots per GPU + rank in the GPU.
    log2phy : [layers, experts, width] integers
        The slots of each logical expert, then -1.
    logcnt : [layers, experts] integers
        The number of replicas of each logical expert, at least 1.
    """

    phy2log: A
    log2phy: A
    logcnt: A


class Report(NamedTuple, Generic[A]):
    """How well a plan carries given loads; every replica of an expert carries an equal share.

    Tokens beyond the largest float32, about 3.4e38, are infinite; the ratios are right all the same.

    Attributes
    ----------
    gpu_load : [layers, gpus] float32
        Tokens on each GPU.
    balancedness : [layers] float32
        Mean GPU load / busiest GPU's load; 1 is perfect, and a layer without load has 1.
    lower_bound : [layers] float32
        Tokens that no valid plan of this shape can push the busiest GPU below.
    gap : [layers] float32
        Busiest GPU's load / lower bound - 1; a layer without load has 0.
    doubled : [layers] integers
        Replicas of an expert beyond the first on one GPU.
    """

    gpu_load: A
    balancedness: A
    lower_bound: A
    gap: A
    doubled: A


class SharedReport(NamedTuple, Generic[A]):
    """How well a plan carries given loads under given shares.

    Attributes
    ----------
    gpu_load : [layers, gpus] float32
        Tokens on each GPU.
    balancedness : [layers] float32
        Mean GPU load / busiest GPU's load; 1 is perfect, and a layer without load has 1.
    best_balancedness : [layers] float32
        The same under the best shares that `share_tokens` finds for these loads.
    lower_bound : [layers] float32
        Tokens that no shares of this plan can push the busiest GPU below.
    gap : [layers] float32
        Busiest GPU's load / lower bound - 1; a layer without load has 0.
    doubled : [layers] integers
        Replicas of an expert beyond the first on one GPU.
    """

    gpu_load: A
    balancedness: A
    best_balancedness: A
    lower_bound: A
    gap: A
    doubled: A


class Prepared(NamedTuple, Generic[A]):
    """What `share_tokens` needs to know of a plan; it makes use of its own alone.

    A place is a slot in a table whose columns are GPUs: rank in the GPU * GPUs + GPU. A holder is the first replica of
    an expert on a GPU.

    Attributes
    ----------
    expert : [layers, replicas] integers
        For each place the expert that it holds, or the number of experts where another replica on the GPU does.
    place : [layers, at most replicas] integers
        The places of holders, expert by expert, those of most holders first; all of experts that have several.
    first, holders : [layers, experts] integers
        Where the holders of each expert begin among all, and how many there are.
    colour : [layers, experts] integers
        The first of the colours in which the holders of an expert meet in pairs; -1 for an expert of one.
    start : [layers, experts] integers
        The first GPU of each expert that is on a ring; else -1.
    size : [layers, 1] integers
        GPUs of a ring; 0 for a layer that is none.
    """

    expert: A
    place: A
    first: A
    holders: A
    colour: A
    start: A
    size: A


class Shares(NamedTuple, Generic[A]):
    """How many tokens each replica takes of a batch, and why there are no better shares.

    Attributes
    ----------
    share : [layers, replicas] integers
        Whole tokens of each slot; those of an expert's slots add up to its tokens.
    gpu_load : [layers, gpus] integers
        Tokens on each GPU.
    busiest : [layers] integers
        Tokens on the busiest GPU.
    lower_bound : [layers] float32
        Tokens that no shares of this plan can push the busiest GPU below: those of the experts that only GPUs of
        ``proof`` hold, over the number of those GPUs, rounded down.
    proof : [layers, gpus] bool
        That set of GPUs.
    gap : [layers] float32
        Busiest GPU's load / lower bound - 1; a layer without load has 0.
    rounds : [layers] integers
        Rounds of matchings; 0 for a layer that was solved exactly.
    """

    share: A
    gpu_load: A
    busiest: A
    lower_bound: A
    proof: A
    gap: A
    rounds: A
