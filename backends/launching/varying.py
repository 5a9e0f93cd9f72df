"""Over which axes of a mesh a value varies inside of JAX's shard_map."""

from collections.abc import Iterable
from typing import Any

import jax
from jax import lax

from eplb_xp.types import Array

# JAX renamed both of these between 0.8 and 0.10.


def varying(aval: Any) -> frozenset[str]:
    """The mesh axes that a value varies over."""
    if hasattr(aval, "manual_axis_type"):
        return aval.manual_axis_type.varying if aval.manual_axis_type is not None else frozenset()
    return aval.vma or frozenset()


def pvary(x: Array, axes: tuple[str, ...]) -> Array:
    """The value, marked as varying over more mesh axes."""
    if hasattr(lax, "pcast"):
        return lax.pcast(x, axes, to="varying")
    return lax.pvary(x, axes)  # type: ignore[attr-defined] # gone from the newest JAX


def as_others(arrays: Iterable[Array]) -> list[Array]:
    """All marked as varying over every mesh axis that one of them varies over."""
    given = list(arrays)
    its_axes = [varying(jax.typeof(x)) for x in given]
    axes = frozenset[str]().union(*its_axes)
    return [pvary(x, tuple(axes - own)) if axes - own else x for x, own in zip(given, its_axes, strict=True)]
