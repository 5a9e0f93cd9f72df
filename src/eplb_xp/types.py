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
