"""Weights that travel between JAX devices, and what travels; also as a process of its own, with more devices."""

import sys
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding

from tests.support.examples import load_example
from tests.support.library import NumPyArray
from tests.support.travelling import KINDS, LAYERS, Change, checkpoint, drawn, drifted, held

EXAMPLE: ModuleType = load_example("jax_moves")


def sharding(gpus: int) -> NamedSharding:
    mesh = jax.make_mesh((gpus,), ("gpu",), axis_types=(AxisType.Auto,), devices=jax.devices()[:gpus])
    return NamedSharding(mesh, EXAMPLE.BY_SLOTS)


def mover(gpus: int) -> Any:
    """The example's, compiled as it is there."""
    specs = (EXAMPLE.BY_SLOTS, EXAMPLE.ALL, EXAMPLE.ALL)
    mesh = sharding(gpus).mesh
    return jax.jit(jax.shard_map(EXAMPLE.move, mesh=mesh, in_specs=specs, out_specs=specs[0]), donate_argnums=0)


def weights() -> dict[str, NumPyArray]:
    return {name: x.astype(jnp.dtype(KINDS[name][1])) for name, x in checkpoint().items()}


def held_before(change: Change) -> dict[str, NumPyArray]:
    return {name: held(x, change.previous, 77) for name, x in weights().items()}


def put(x: dict[str, NumPyArray], gpus: int) -> dict[str, jax.Array]:
    return {name: jax.device_put(value, sharding(gpus)) for name, value in x.items()}


def check(move: Any, change: Change) -> tuple[int, int]:
    """The rows sent and received; all slots get their weights, and as many go from device to device as are said to."""
    found = change.moves
    ways = EXAMPLE.routes(found.source, change.gpus)
    sent, received = ways.leaving.shape[2], ways.arriving.shape[2]
    sender = ways.origin // sent
    travels = (ways.arriving < change.plan.shape[1] // change.gpus) & (sender != np.arange(change.gpus)[:, None])
    assert np.array_equal(
        [np.bincount(x[t], minlength=change.gpus) for x, t in zip(sender, travels, strict=True)], found.sent
    )
    before = held_before(change)
    now = put(before, change.gpus)
    for layer in range(LAYERS):
        now = move(now, layer, ways)
    for name, x in weights().items():
        lacks = (found.source < 0).reshape(*found.source.shape, *[1] * (x.ndim - 2))
        assert np.array_equal(now[name], np.where(lacks, before[name], held(x, change.plan, 77))), change
    return sent, received


def main(gpus: int) -> None:
    move = mover(gpus)
    shapes = {check(move, change) for change in [*drawn(gpus, 4, 30), *drifted(gpus, 4)]}
    assert move._cache_size() == len(shapes)  # programs
    print(len(jax.devices()), "devices")


if __name__ == "__main__":
    main(int(sys.argv[1]))
