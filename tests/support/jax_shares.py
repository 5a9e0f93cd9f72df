"""Shares of JAX arrays: a batch of plans of every kind, shared out with what is prepared or without."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from eplb_xp import Prepared, Shares, prepare_shares, share_tokens
from tests.support.jax_kernels import planned_shapes
from tests.support.libraries import NumPyArray
from tests.support.share_kernels import expected
from tests.support.shares import Batch, each_layer, greedy_plan, random_plan, ring_plan

PRIMITIVE = "eplb_xp_share"
GPUS = 4
SHAPE = (8, 12, GPUS)

LAYERS, WHOLE = PartitionSpec("layers"), PartitionSpec()

Share = Callable[[Any, Any], Shares[Any]]


def batch(seed: int = 0, layers: int = 4, dtype: Any = np.int32) -> Batch:
    """Layers that are rings and others, in turn."""
    rng = np.random.default_rng(seed)
    kinds = (ring_plan, random_plan, greedy_plan, random_plan)
    phy2log = np.stack([kinds[layer % len(kinds)](rng, SHAPE) for layer in range(layers)])
    return Batch(phy2log.astype(np.int32), rng.integers(0, 1000, (layers, 8)).astype(dtype), GPUS)


def arrays_of(given: Batch) -> tuple[jax.Array, jax.Array]:
    return jnp.asarray(given.phy2log), jnp.asarray(given.tokens)


def shared(phy2log: Any, tokens: Any) -> Shares[Any]:
    return share_tokens((phy2log, phy2log, tokens), tokens, GPUS)


def prepared_and_shared(phy2log: Any, tokens: Any) -> Shares[Any]:
    """The same in two calls."""
    plan = (phy2log, phy2log, tokens)
    return share_tokens(plan, tokens, GPUS, prepared=prepare_shares(plan, GPUS))


def shared_as(prepared: Prepared[Any], phy2log: Any, tokens: Any) -> Shares[Any]:
    return share_tokens((phy2log, phy2log, tokens), tokens, GPUS, prepared=prepared)


def shared_shapes(function: Any, *arrays: Any) -> list[tuple[int, ...]]:
    """The shape of the loads of each step that the kernel may take."""
    return planned_shapes(function, *arrays, primitive=PRIMITIVE)


def as_numpy(found: Shares[jax.Array]) -> Shares[NumPyArray]:
    """With indices as NumPy has them."""
    assert isinstance(found, Shares)
    kinds = {"i": np.int64, "f": np.float32, "b": np.bool_}
    return Shares(*(np.asarray(x).astype(kinds[x.dtype.kind]) for x in found))


def stacked(batches: list[Batch]) -> Shares[NumPyArray]:
    """What NumPy has for each of some batches."""
    return Shares(*(np.stack(parts) for parts in zip(*map(expected, batches), strict=True)))


def one_by_one(given: Batch) -> Shares[NumPyArray]:
    """What NumPy has for each layer by itself."""
    whole = expected(given)
    rows = [each_layer(whole, slice(layer, layer + 1)) for layer in range(len(given.tokens))]
    return Shares(*(np.stack(parts) for parts in zip(*rows, strict=True)))


def cpus(axis_type: AxisType = AxisType.Auto) -> Mesh:
    return jax.make_mesh((4,), ("layers",), axis_types=(axis_type,), devices=jax.devices("cpu")[:4])


def on_mesh(mesh: Mesh, spec: PartitionSpec, x: Any) -> jax.Array:
    return jax.device_put(x, NamedSharding(mesh, spec))
