"""The arrays that go in and the tuples that come out."""

from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np

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


class Moves(NamedTuple, Generic[A]):
    """Where the weights of each slot of a plan come from, and what that makes GPUs send.

    Every slot counts: two slots of a GPU that get the same expert from another GPU are two. What stays on its GPU is
    not sent.

    Attributes
    ----------
    source : [layers, replicas] integers
        The slot of the previous plan that each slot takes its weights from; -1 where none held the expert, so that they
        must be loaded from elsewhere.
    received : [layers, gpus] integers
        Slots of each GPU whose weights come from another GPU or from elsewhere.
    sent : [layers, gpus] integers
        Slots of other GPUs whose weights come from each GPU.
    sent_across : [layers, gpus] integers
        Those of them that are on other nodes.
    buffered : [layers, replicas] bool
        Slots of the previous plan that are overwritten and whose weights a slot takes: they must be read before, or
        copied to a buffer.
    """

    source: A
    received: A
    sent: A
    sent_across: A
    buffered: A

    def bytes(self, expert_bytes: int) -> "MovedBytes":
        """Say how many bytes that are, all layers together.

        Values are read, which makes the host wait for a device, and can't be done under ``jax.jit`` or
        ``torch.compile``: there multiply as floats, since 32 bits are few for bytes.

        Parameters
        ----------
        expert_bytes : int
            The weights of one expert of one layer.

        Returns
        -------
        MovedBytes
            Exact, in NumPy, whatever library the moves are of.

        Raises
        ------
        TypeError
            Where it is no integer, or the arrays are being traced.
        ValueError
            Where it is less than 1.

        Examples
        --------
        >>> import numpy as np
        >>> from eplb_xp import moves
        >>> found = moves(np.array([[0, 1, 2, 3]]), np.array([[0, 2, 3, 1]]), num_gpus=2).bytes(44_040_192)
        >>> found.total
        88080384
        >>> found.buffered  # GPU 1 overwrites both of its slots, and both are sent or moved
        array([44040192, 88080384])
        """
        from eplb_xp.moving import bytes_of  # noqa: PLC0415 # which imports this

        return bytes_of(self, expert_bytes)


class Frontier(NamedTuple, Generic[A]):
    """What each number of moves buys: the plans after at most 0, 1, 2 and more of them.

    Attributes
    ----------
    phy2log : [layers, moves, replicas] integers
        The logical expert in each slot; of the plan in use for 0 moves.
    logcnt : [layers, moves, experts] integers
        The number of replicas of each logical expert.
    busiest : [layers, moves] float32
        Tokens on the busiest GPU, never more with one move more; of several samples the mean of its share of a sample's
        tokens.
    balancedness : [layers, moves] float32
        Mean GPU load / busiest GPU's load, never less with one move more; of several samples the ratio of the means.
    """

    phy2log: A
    logcnt: A
    busiest: A
    balancedness: A


class MovedBytes(NamedTuple):
    """What `Moves` are in bytes, in NumPy.

    Attributes
    ----------
    total : int
        What all GPUs receive in all layers.
    received, sent, sent_across : [gpus] int64
        Of each GPU in all layers.
    buffered : [gpus] int64
        The most that slots of each GPU hold in one layer that must be read before they are overwritten.
    """

    total: int
    received: "np.ndarray[Any, np.dtype[np.int64]]"
    sent: "np.ndarray[Any, np.dtype[np.int64]]"
    sent_across: "np.ndarray[Any, np.dtype[np.int64]]"
    buffered: "np.ndarray[Any, np.dtype[np.int64]]"
